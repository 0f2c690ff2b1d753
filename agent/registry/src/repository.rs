//! The name of a repository.

use oci_client::Reference;
use url::Url;

/// A repository on a host, such as `registry.example.com:5000/shop/storefront`. `nginx` is
/// `docker.io/library/nginx`, as everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Repository {
    name: String,
    host: String,
}

/// A text that names no repository.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotARepository;

impl Repository {
    /// Reads a repository's name; a tag or a digest after it is not accepted.
    pub(crate) fn parse(text: &str) -> Result<Self, NotARepository> {
        // With a tag of our own behind it the whole is a reference only if it had none.
        let reference = Reference::try_from(format!("{text}:tag")).map_err(|_| NotARepository)?;
        let host = reference.registry().to_lowercase();
        let name = format!("{host}/{}", reference.repository());
        let repository = Self { name, host };
        repository.base("https").map_err(|_| NotARepository)?;
        Ok(repository)
    }

    /// Host and path.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `host` or `host:port`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The path on the host.
    pub(crate) fn path(&self) -> &str {
        self.name.get(self.host.len() + 1..).unwrap_or_default()
    }

    /// The address of the registry's API. Docker Hub serves it under another name.
    pub(crate) fn base(&self, scheme: &str) -> Result<Url, url::ParseError> {
        let host = if self.host == "docker.io" {
            "registry-1.docker.io"
        } else {
            &self.host
        };
        Url::parse(&format!("{scheme}://{host}/v2/"))
    }
}

/// Whether `text` is a tag by the distribution specification's grammar.
pub(crate) fn is_tag(text: &str) -> bool {
    let mut characters = text.bytes();
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && characters.next().is_some_and(word)
        && characters.all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_as_everywhere() {
        for (text, host, path) in [
            (
                "registry.example.com/shop/storefront",
                "registry.example.com",
                "shop/storefront",
            ),
            ("127.0.0.1:5000/a", "127.0.0.1:5000", "a"),
            ("localhost/a/b", "localhost", "a/b"),
            ("nginx", "docker.io", "library/nginx"),
            ("shop/storefront", "docker.io", "shop/storefront"),
            (
                "index.docker.io/shop/storefront",
                "docker.io",
                "shop/storefront",
            ),
        ] {
            let repository = Repository::parse(text).unwrap();
            assert_eq!(
                (repository.host(), repository.path()),
                (host, path),
                "{text}"
            );
        }
        assert_eq!(
            Repository::parse("nginx")
                .unwrap()
                .base("https")
                .unwrap()
                .as_str(),
            "https://registry-1.docker.io/v2/"
        );
    }

    #[test]
    fn what_is_no_repository_is_refused() {
        for text in [
            "",
            "a.example/x:v1",
            "a.example/x@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "https://a.example/x",
            "a.example/x?y",
            "a.example/../x",
            "a.example/X",
            "a.example/x y",
            "user@a.example/x",
            "a.example:99999/x",
            "a.example/",
        ] {
            assert_eq!(Repository::parse(text), Err(NotARepository), "{text}");
        }
    }

    #[test]
    fn tags_follow_the_grammar() {
        for tag in ["v1.0.0", "_", "latest", "A-b_c.d", &"x".repeat(128)] {
            assert!(is_tag(tag), "{tag}");
        }
        for tag in [
            "",
            ".a",
            "-a",
            "a/b",
            "a b",
            "a:b",
            "ä",
            "a\n",
            &"x".repeat(129),
        ] {
            assert!(!is_tag(tag), "{tag:?}");
        }
    }
}
