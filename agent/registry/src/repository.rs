//! The name of a repository, by the grammar of the distribution project's `reference` package.
//!
//! `oci-client`'s parser compiles a large regular expression on first use: 130 ms in a debug build,
//! on the thread that serves everybody else.

use url::Url;

/// Host and path together, as registries limit it.
const MOST_CHARACTERS: usize = 255;

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
        let is_host = |first: &str| first.contains(['.', ':']) || first == "localhost";
        let (host, path) = match text.split_once('/').filter(|(first, _)| is_host(first)) {
            Some(("index.docker.io", path)) => ("docker.io".to_owned(), path),
            Some((host, path)) => (host.to_lowercase(), path),
            None => ("docker.io".to_owned(), text),
        };
        let official = host == "docker.io" && !path.contains('/');
        let path = if official {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        let valid = is_plain_host(&host) && path.split('/').all(is_component);
        let name = format!("{host}/{path}");
        (valid && name.len() <= MOST_CHARACTERS)
            .then_some(Self { name, host })
            .ok_or(NotARepository)
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

/// Whether `text` is `host` or `host:port` and means what it says: `2130706433` and `0x7f.1` are
/// other spellings of 127.0.0.1.
fn is_plain_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, "443"));
    let word = |character: char| character.is_ascii_alphanumeric();
    let label = |label: &str| {
        label.starts_with(word)
            && label.ends_with(word)
            && label
                .chars()
                .all(|character| word(character) || character == '-')
    };
    name.split('.').all(label)
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port != 0)
        && Url::parse(&format!("https://{text}/")).is_ok_and(|url| url.host_str() == Some(name))
}

/// Lower-case letters and digits, with single separators between them: `.`, `_`, `__` or dashes.
fn is_component(text: &str) -> bool {
    let word = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let separator =
        |run: &str| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|byte| byte == b'-');
    text.starts_with(word) && text.ends_with(word) && text.split(word).all(separator)
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
    use proptest::prelude::*;

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
            "B/a",
            "a.example/x y",
            "user@a.example/x",
            "a.example:99999/x",
            "a.example/",
            "a.example//x",
            "a.example:0/x",
            "a.example:/x",
            "a.example:80:80/x",
            "a.example/-x",
            "a.example/x_",
            "a.example/x..y",
            "a.example/x___y",
            "a.example/x._y",
            "a.example/ü",
            "2130706433:80/x",
            "0x7f.1/x",
            "/x",
            "./x",
            "a.example./x",
            "a..example/x",
            "-a.example/x",
            "a.example:+80/x",
            &format!("a.example/{}", "x".repeat(250)),
        ] {
            assert_eq!(Repository::parse(text), Err(NotARepository), "{text}");
        }
    }

    /// The two parsers agree, but for what is refused here on purpose.
    #[test]
    fn names_are_those_of_the_oci_client() {
        let differs = |text: &str| text.contains([':', '@']) || text.contains("0x7f");
        proptest!(|(text in "((a|localhost|a\\.example|0x7f\\.1)(:5000)?/)?[a-c0._:/@-]{0,8}")| {
            let theirs = oci_client::Reference::try_from(text.as_str()).ok();
            let ours = Repository::parse(&text).ok();
            if ours.is_some() || !differs(&text) {
                let of_theirs = theirs.map(|it| format!("{}/{}", it.registry(), it.repository()));
                prop_assert_eq!(ours.map(|it| it.name), of_theirs);
            }
        });
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
