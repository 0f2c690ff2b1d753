//! A named target after manifest and grant have met, and the question whether a request fits it.

use std::collections::BTreeSet;

use http::Method;
use url::Url;

use super::address::Reach;
use super::fault::NetFault;
use super::origin::Origin;
use crate::text;

/// Longest path and query, in bytes.
const MAX_PATH_BYTES: usize = 8 << 10;

/// The targets whose address comes with the call (plugins.md section 1, "What a test reaches").
pub(crate) const ROLLOUT_TARGETS: [&str; 3] = ["candidate", "service", "stable"];

/// Whether the rollout, not the operator, knows where this target is.
pub(crate) fn is_rollout_target(name: &str) -> bool {
    ROLLOUT_TARGETS.contains(&name)
}

/// What a plugin may do with one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Where it is; `None` for the rollout's own targets, which are bound per call.
    pub(crate) origin: Option<Origin>,
    /// Methods. Empty: `tls.inspect` alone.
    pub(crate) methods: BTreeSet<String>,
    /// What the plugin asked for.
    pub(crate) asked_paths: Vec<PathPattern>,
    /// What the operator granted. A path has to fit both lists.
    pub(crate) granted_paths: Vec<PathPattern>,
    /// Secrets that may be sent there.
    pub(crate) secrets: BTreeSet<String>,
    /// Whether they may be sent in clear.
    pub(crate) plaintext_secrets: bool,
    /// Which addresses it may have.
    pub(crate) reach: Reach,
}

/// A request that fits its target, normalised.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) method: Method,
    /// Path and query as they will be sent.
    pub(crate) path_and_query: String,
}

impl Target {
    /// Checks method and path. What was checked is what is sent.
    pub(crate) fn admit(
        &self,
        name: &str,
        origin: &Origin,
        method_text: &str,
        path_and_query: &str,
    ) -> Result<Admitted, NetFault> {
        let wanted = method(method_text).map_err(NetFault::Other)?;
        if !self.methods.contains(wanted.as_str()) {
            let known: Vec<&str> = self.methods.iter().map(String::as_str).collect();
            let known = if known.is_empty() {
                "no method".to_owned()
            } else {
                known.join(", ")
            };
            return Err(NetFault::NotGranted(format!(
                "target \"{name}\" is granted {known}, not {wanted}; to allow it, add {wanted} to its methods"
            )));
        }
        let url = normalise(origin, path_and_query).map_err(NetFault::Other)?;
        let path = url.path();
        let open = |patterns: &[PathPattern]| patterns.iter().any(PathPattern::is_everything);
        if !(open(&self.asked_paths) && open(&self.granted_paths)) && hides_a_separator(path) {
            return Err(NetFault::Other(
                "an encoded separator, dot or NUL in the path could mean another path to the server"
                    .to_owned(),
            ));
        }
        let fits = |patterns: &[PathPattern]| patterns.iter().any(|pattern| pattern.matches(path));
        if !fits(&self.asked_paths) || !fits(&self.granted_paths) {
            return Err(NetFault::NotGranted(format!(
                "path {} of target \"{name}\"; to allow it, add it to the target's paths",
                text::line(path, 200)
            )));
        }
        let path_and_query = match url.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        Ok(Admitted {
            method: wanted,
            path_and_query,
        })
    }
}

/// A method that may stand in a manifest, a grant or a request.
pub(crate) fn method(text: &str) -> Result<Method, String> {
    match text {
        "DELETE" | "GET" | "HEAD" | "OPTIONS" | "PATCH" | "POST" | "PUT" => {
            Method::from_bytes(text.as_bytes()).map_err(|_| "it is no method".to_owned())
        }
        other => Err(format!(
            "\"{}\" is none of DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
            text::line(other, 40)
        )),
    }
}

fn normalise(origin: &Origin, path_and_query: &str) -> Result<Url, String> {
    if path_and_query.len() > MAX_PATH_BYTES {
        return Err(format!("the path is longer than {MAX_PATH_BYTES} bytes"));
    }
    if !path_and_query.starts_with('/') {
        return Err("a path begins with /".to_owned());
    }
    let odd = |c: char| c.is_control() || matches!(c, ' ' | '\\' | '#');
    if path_and_query.contains(odd) {
        return Err("a path has no spaces, control bytes, backslashes or #".to_owned());
    }
    let url = Url::parse(&format!("{origin}{path_and_query}"))
        .map_err(|_| "the path is malformed".to_owned())?;
    // The text before the path ends at its first slash, so it cannot reach into the authority. The
    // comparison costs nothing and would catch a parser that disagrees.
    let same = url.host().map(|host| host.to_owned()).as_ref() == Some(&origin.host)
        && url.username().is_empty()
        && url.password().is_none()
        && url.port_or_known_default() == Some(origin.port);
    if same {
        Ok(url)
    } else {
        Err("the path is malformed".to_owned())
    }
}

fn hides_a_separator(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    ["%2f", "%5c", "%2e", "%00", "%25"]
        .iter()
        .any(|hidden| lower.contains(hidden))
}

/// `/exact/path` or `/everything/below/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathPattern {
    text: String,
    prefix: bool,
}

impl PathPattern {
    /// Every path.
    pub(crate) fn everything() -> PathPattern {
        PathPattern {
            text: "/".to_owned(),
            prefix: true,
        }
    }

    pub(crate) fn parse(pattern: &str) -> Result<PathPattern, String> {
        let shown = text::line(pattern, 200);
        let (body, prefix) = match pattern.strip_suffix('*') {
            Some(body) => (body, true),
            None => (pattern, false),
        };
        let normal = body.starts_with('/')
            && !body.contains(['*', '?', '#', '\\'])
            && !hides_a_separator(body)
            && Url::parse(&format!("http://path.invalid{body}"))
                .is_ok_and(|url| url.path() == body);
        if !normal || (prefix && !body.ends_with('/')) {
            return Err(format!(
                "\"{shown}\": write a path such as /api/chat.postMessage, or /api/* for all below it"
            ));
        }
        Ok(PathPattern {
            text: body.to_owned(),
            prefix,
        })
    }

    fn matches(&self, path: &str) -> bool {
        if self.prefix {
            path.starts_with(&self.text)
        } else {
            path == self.text
        }
    }

    fn is_everything(&self) -> bool {
        self.prefix && self.text == "/"
    }

    /// Whether every path that `other` matches is matched by this pattern too.
    pub(crate) fn covers(&self, other: &PathPattern) -> bool {
        self.matches(&other.text) && (self.prefix || !other.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(paths: &[&str]) -> Target {
        let paths: Vec<_> = paths
            .iter()
            .map(|path| PathPattern::parse(path).unwrap())
            .collect();
        Target {
            origin: None,
            methods: ["GET", "POST"].map(str::to_owned).into(),
            asked_paths: paths.clone(),
            granted_paths: paths,
            secrets: BTreeSet::new(),
            plaintext_secrets: false,
            reach: Reach::default(),
        }
    }

    fn origin() -> Origin {
        Origin::parse("https://slack.com").unwrap()
    }

    #[test]
    fn what_fits_is_sent_normalised() {
        let target = target(&["/api/*", "/health"]);
        for (path, sent) in [
            ("/health", "/health"),
            ("/health?full=1", "/health?full=1"),
            ("/api/a/../b", "/api/b"),
            ("/api/%2e%2e/api/x", "/api/x"),
            ("/api/ü", "/api/%C3%BC"),
        ] {
            let admitted = target.admit("t", &origin(), "GET", path).unwrap();
            assert_eq!(admitted.path_and_query, sent);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let target = target(&["/api/*", "/health"]);
        for path in [
            "",
            "health",
            "/healthz",
            "/health/",
            "/api",
            "/api/../admin",
            "/api/%2e%2e/admin",
            "/api/..%2fadmin",
            "/api/..%5cadmin",
            "/api/%252e%252e/admin",
            "/api\\..\\admin",
            "//evil.example/api/x",
            "/health#x",
            "/health x",
            "/health\r\nHost: evil.example",
            "@evil.example/health",
            ":80/health",
            "http://evil.example/health",
        ] {
            assert!(target.admit("t", &origin(), "GET", path).is_err(), "{path}");
        }
        for method in [
            "get",
            "CONNECT",
            "TRACE",
            "DELETE",
            "",
            "GET /x HTTP/1.1\r\n",
        ] {
            assert!(
                target.admit("t", &origin(), method, "/health").is_err(),
                "{method}"
            );
        }
    }

    #[test]
    fn both_sides_have_to_agree() {
        let mut target = target(&["/api/*"]);
        target.granted_paths = vec![PathPattern::parse("/api/chat").unwrap()];
        assert!(target.admit("t", &origin(), "GET", "/api/chat").is_ok());
        assert!(target.admit("t", &origin(), "GET", "/api/other").is_err());
    }

    #[test]
    fn an_open_target_takes_encoded_separators() {
        let target = target(&["/*"]);
        assert!(
            target
                .admit("candidate", &origin(), "GET", "/items/a%2Fb")
                .is_ok()
        );
    }

    #[test]
    fn patterns_have_one_form() {
        for bad in [
            "api", "/a/../b", "/a*", "/a/*/b", "/a?b", "/a b", "//a%2f", "", "*",
        ] {
            assert!(PathPattern::parse(bad).is_err(), "{bad}");
        }
        let covers = |wide: &str, narrow: &str| {
            PathPattern::parse(wide)
                .unwrap()
                .covers(&PathPattern::parse(narrow).unwrap())
        };
        assert!(covers("/*", "/a") && covers("/a/*", "/a/b/*") && covers("/a", "/a"));
        assert!(!covers("/a", "/a/*") && !covers("/a/*", "/a") && !covers("/a/b/*", "/a/*"));
    }

    proptest! {
        // Fuzz "target matcher against a reference model" (plugins.md section 10): whatever is
        // admitted begins with the granted prefix after the server's own decoding.
        #[test]
        fn nothing_leaves_the_granted_prefix(path in "/api(/|%2[eEfF]|\\.|[a-z]|%|%25|;){0,12}") {
            let target = target(&["/api/*"]);
            if let Ok(admitted) = target.admit("t", &origin(), "GET", &path) {
                let decoded = reference_decode(&admitted.path_and_query);
                prop_assert!(decoded.starts_with("/api/"), "{} -> {}", path, decoded);
            }
        }

        #[test]
        fn covering_means_matching_everything(
            wide in "/([ab]/){0,2}[ab]?", star in any::<bool>(),
            narrow in "/([ab]/){0,2}[ab]?", other_star in any::<bool>(),
            rest in "([ab]/){0,2}[ab]?",
        ) {
            let pattern = |text: &str, star: bool| {
                let text = if star && text.ends_with('/') { format!("{text}*") } else { text.to_owned() };
                PathPattern::parse(&text).unwrap()
            };
            let (wide, narrow) = (pattern(&wide, star), pattern(&narrow, other_star));
            let path = if narrow.prefix { format!("{}{rest}", narrow.text) } else { narrow.text.clone() };
            if wide.covers(&narrow) {
                prop_assert!(wide.matches(&path));
            }
        }
    }

    /// A careless server: decodes once, then resolves dot segments.
    fn reference_decode(path: &str) -> String {
        let path = path.split('?').next().unwrap();
        let decoded = path
            .replace("%2e", ".")
            .replace("%2E", ".")
            .replace("%2f", "/")
            .replace("%2F", "/");
        let mut segments: Vec<&str> = Vec::new();
        for segment in decoded.split('/').skip(1) {
            match segment {
                "." => {}
                ".." => {
                    segments.pop();
                }
                other => segments.push(other),
            }
        }
        format!("/{}", segments.join("/"))
    }
}
