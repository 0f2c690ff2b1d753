use proptest::prelude::*;

use super::*;

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn image(text: &str) -> ImageRef {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn shown(text: &str) -> String {
    image(text).to_string()
}

#[test]
fn names_are_completed_as_the_runtime_does() {
    assert_eq!(shown("nginx"), "docker.io/library/nginx");
    assert_eq!(shown("nginx:1.27"), "docker.io/library/nginx:1.27");
    assert_eq!(shown("shop/storefront"), "docker.io/shop/storefront");
    assert_eq!(shown("docker.io/nginx"), "docker.io/library/nginx");
    assert_eq!(shown("index.docker.io/nginx"), "docker.io/library/nginx");
    assert_eq!(shown("localhost/nginx"), "localhost/nginx");
    assert_eq!(shown("localhost:5000/nginx:v1"), "localhost:5000/nginx:v1");
    assert_eq!(
        shown("Registry.Example.COM/shop/x"),
        "registry.example.com/shop/x"
    );
    // A capital letter makes the first part a host, as no repository has one.
    assert_eq!(shown("Registry/shop/x"), "registry/shop/x");
    assert_eq!(shown("[::1]:5000/shop/x:v1"), "[::1]:5000/shop/x:v1");
}

#[test]
fn takes_a_full_reference_apart() {
    let full = format!("registry.example.com:5000/shop/storefront:v1@sha256:{HEX}");
    let parsed = image(&full);
    assert_eq!(parsed.repository.registry(), "registry.example.com:5000");
    assert_eq!(parsed.repository.path(), "shop/storefront");
    assert_eq!(parsed.tag.as_deref(), Some("v1"));
    assert_eq!(parsed.digest.as_ref().map(Digest::hex), Some(HEX));
    assert_eq!(
        parsed.digest.as_ref().map(Digest::short),
        Some("0123456789ab")
    );
    assert_eq!(parsed.to_string(), full);
    assert_eq!(
        parsed.pinned(),
        Some(format!(
            "registry.example.com:5000/shop/storefront@sha256:{HEX}"
        ))
    );
    assert_eq!(image("nginx:v1").pinned(), None);
}

#[test]
fn refuses_what_a_runtime_refuses() {
    for text in [
        "",
        ":v1",
        "nginx:",
        "nginx:-v1",
        "nginx:v 1",
        "nginx::v1",
        "Nginx",
        "shop//x",
        "/shop/x",
        "shop/x/",
        "shop/-x",
        "shop/x..y",
        "shop/x___y",
        "registry.example.com",
        "registry.example.com:0/x",
        "registry.example.com:99999/x",
        "registry.example.com:/x",
        "-registry.example.com/x",
        "[zz]:5000/x",
        "[]:5000/x",
        "http://registry.example.com/x",
        "nginx@sha256:abc",
        "nginx@md5:d41d8cd98f00b204e9800998ecf8427e",
        "nginx\n",
    ] {
        // A lone host is a repository of Docker Hub to the runtime as well.
        if text == "registry.example.com" {
            assert_eq!(shown(text), "docker.io/library/registry.example.com");
            continue;
        }
        assert!(text.parse::<ImageRef>().is_err(), "{text:?}");
    }
    assert!(
        format!("nginx@sha256:{}", HEX.to_uppercase())
            .parse::<ImageRef>()
            .is_err()
    );
    assert!("a".repeat(300).parse::<ImageRef>().is_err());
    assert!(
        format!("nginx:{}", "a".repeat(129))
            .parse::<ImageRef>()
            .is_err()
    );
}

#[test]
fn repository_patterns() {
    let fits = |pattern: &str, name: &str| {
        pattern
            .parse::<RepositoryGlob>()
            .unwrap()
            .matches(&name.parse().unwrap())
    };
    assert!(fits(
        "registry.example.com/shop/*",
        "registry.example.com/shop/storefront"
    ));
    assert!(!fits(
        "registry.example.com/shop/*",
        "registry.example.com/shop/a/b"
    ));
    assert!(fits(
        "registry.example.com/**",
        "registry.example.com/shop/a/b"
    ));
    assert!(fits("nginx", "docker.io/library/nginx"));
    assert!(fits("shop/*", "docker.io/shop/x"));
    assert!(!fits("shop/*", "evil.example.com/shop/x"));
    assert!(fits("*.example.com/shop/*", "eu.example.com/shop/x"));
    assert!(!fits("*.example.com/shop/*", "example.com.evil.org/shop/x"));
    assert!(fits(
        "REGISTRY.example.com/shop/*",
        "registry.example.com/shop/x"
    ));
    assert!(fits("**", "evil.example.com/shop/x"));
}

#[test]
fn a_pattern_that_could_hide_a_look_alike_is_refused() {
    for text in [
        "",
        "registry.example.com*/x",
        "*.com*/x",
        "reg*.example.com/x",
        "a b",
        "r.io/X",
        "r.io/",
    ] {
        assert!(text.parse::<RepositoryGlob>().is_err(), "{text:?}");
    }
    for text in ["", "v 1", "v/1", "v:1"] {
        assert!(text.parse::<TagGlob>().is_err(), "{text:?}");
    }
}

#[test]
fn are_strings_in_json() {
    let value = serde_json::json!("registry.example.com/shop/x:v1");
    let parsed: ImageRef = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(parsed).unwrap(), value);
    assert!(serde_json::from_str::<Digest>("\"sha256:xyz\"").is_err());
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(
        registry in "(docker\\.io|localhost|[a-z]{1,8}\\.example\\.com(:[1-9][0-9]{0,3})?)",
        path in "[a-z0-9]{1,6}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}(/[a-z0-9]{1,6}){0,2}",
        tag in prop::option::of("[A-Za-z0-9_][A-Za-z0-9._-]{0,20}"),
        digest in prop::option::of("[0-9a-f]{64}"),
    ) {
        let mut text = format!("{registry}/{path}");
        if let Some(tag) = &tag { text.push_str(&format!(":{tag}")); }
        if let Some(digest) = &digest { text.push_str(&format!("@sha256:{digest}")); }
        let first = image(&text);
        prop_assert_eq!(first.tag.as_deref(), tag.as_deref());
        prop_assert_eq!(first.digest.as_ref().map(Digest::hex), digest.as_deref());
        let again = image(&first.to_string());
        prop_assert_eq!(first, again);
    }

    #[test]
    fn never_panics(text in "\\PC{0,40}|[a-z0-9:@/.*-]{0,40}") {
        let _ = text.parse::<ImageRef>();
        let _ = text.parse::<RepositoryGlob>();
        let _ = text.parse::<TagGlob>();
    }
}
