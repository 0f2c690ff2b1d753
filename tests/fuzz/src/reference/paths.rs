//! Paths as servers read them (WHATWG URL, "path state"), and what a target admits of them.

/// A request to a target.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) asked: &'a [&'a str],
    pub(crate) granted: &'a [&'a str],
    pub(crate) methods: &'a [&'a str],
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
}

/// Path and query as they are sent; `None` where they are not.
pub(crate) fn admitted(question: &Asked<'_>) -> Option<String> {
    let known = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
    if !known.contains(&question.method) || !question.methods.contains(&question.method) {
        return None;
    }
    let text = question.path;
    let forbidden = |c: char| c.is_control() || c == ' ' || c == '\\' || c == '#';
    if text.len() > 8192 || !text.starts_with('/') || text.contains(forbidden) {
        return None;
    }
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    let path = resolved(path);
    let open = question.asked.contains(&"/*") && question.granted.contains(&"/*");
    let small = path.to_lowercase();
    let hides = ["%2f", "%5c", "%2e", "%00", "%25"];
    if !open && hides.iter().any(|hidden| small.contains(hidden)) {
        return None;
    }
    let fits = |patterns: &[&str]| {
        patterns
            .iter()
            .any(|pattern| match pattern.split_once('*') {
                Some((prefix, _)) => path.starts_with(prefix),
                None => path == *pattern,
            })
    };
    if !fits(question.asked) || !fits(question.granted) {
        return None;
    }
    Some(match query {
        Some(query) => format!("{path}?{}", encoded(query, " \"#<>'")),
        None => path,
    })
}

/// Without dot segments, in whatever spelling, and with odd characters encoded.
fn resolved(path: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let segments: Vec<&str> = path[1..].split('/').collect();
    for (number, segment) in segments.iter().enumerate() {
        let last = number + 1 == segments.len();
        let plain = segment.to_lowercase().replace("%2e", ".");
        match plain.as_str() {
            ".." => {
                // The `url` crate leaves no segment that looks like a drive, also where there are no
                // files. What it admits is what is sent, so nothing is gained by it.
                if !out.last().is_some_and(|left| is_drive(left)) {
                    out.pop();
                }
                if last {
                    out.push(String::new());
                }
            }
            "." if last => out.push(String::new()),
            "." => {}
            _ => out.push(encoded(segment, " \"#<>?`{}")),
        }
    }
    format!("/{}", out.join("/"))
}

fn is_drive(segment: &str) -> bool {
    matches!(segment.as_bytes(), [letter, b':' | b'|'] if letter.is_ascii_alphabetic())
}

fn encoded(text: &str, odd: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let is_odd = !(0x20..0x7f).contains(&byte) || odd.as_bytes().contains(&byte);
        match is_odd {
            true => out.push_str(&format!("%{byte:02X}")),
            false => out.push(char::from(byte)),
        }
    }
    out
}
