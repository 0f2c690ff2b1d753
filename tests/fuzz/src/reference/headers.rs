//! Which headers a guest may send: names are tokens (RFC 9110, section 5.6.2) that the connection does
//! not own, values have no control characters but tabs (5.5); 64 of them, 32 KiB.

const OWNED: &str = "connection content-length expect host http2-settings keep-alive \
    proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade via";

/// What goes out; `None` where nothing does.
pub(crate) fn sent(wanted: &[(String, String)]) -> Option<Vec<(String, String)>> {
    let bytes: usize = wanted
        .iter()
        .map(|(name, value)| name.len() + value.len() + 4)
        .sum();
    if wanted.len() > 64 || bytes > 32 * 1024 {
        return None;
    }
    wanted
        .iter()
        .map(|(name, value)| {
            let name = name.to_ascii_lowercase();
            let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            let visible = |c: char| c == '\t' || (c >= ' ' && c != '\u{7f}');
            let good = !name.is_empty()
                && name.chars().all(token)
                && !OWNED.split_whitespace().any(|owned| owned == name)
                && value.chars().all(visible);
            good.then(|| (name, value.clone()))
        })
        .collect()
}
