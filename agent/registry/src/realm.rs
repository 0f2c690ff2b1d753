//! Where credentials may go: the registry itself, and the token endpoints that belong to it.
//!
//! A challenge names its token endpoint. Whoever can answer for the registry, or in its place, could
//! name his own and be sent the password (reliability.md H6, attack 26), or name an address inside
//! the cluster and have the agent call it (attack 25). So the endpoint is checked before any request.

use url::Url;

/// Token endpoints of public registries that live under another name than the registry.
const WELL_KNOWN: &[(&str, &str)] = &[
    ("docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
];

/// Checks a challenge's realm for the registry `host`, reached at `base`.
///
/// # Errors
/// A sentence that says what is wrong and what to configure.
pub(crate) fn check(
    realm: &str,
    host: &str,
    base: &Url,
    realm_hosts: &[String],
) -> Result<Url, String> {
    let url = Url::parse(realm)
        .map_err(|_| "its token realm is not an address; no credentials were sent".to_owned())?;
    let (Some(name), Some(authority)) = (url.host_str(), authority(&url)) else {
        return Err("its token realm names no host; no credentials were sent".to_owned());
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("its token realm carries a user name; no credentials were sent".to_owned());
    }
    // Plain HTTP only where the registry itself is configured so.
    if url.scheme() != "https" && url.scheme() != base.scheme() {
        return Err(format!(
            "its token realm is {}://{authority}, which is not HTTPS; no credentials were sent",
            url.scheme()
        ));
    }
    let own_name = base.host_str().unwrap_or_default();
    let below_own = matches!(url.host(), Some(url::Host::Domain(_)))
        && url.port().is_none()
        && name
            .strip_suffix(own_name)
            .is_some_and(|rest| rest.ends_with('.'));
    let allowed = Some(&authority) == self::authority(base).as_ref()
        || below_own
        || WELL_KNOWN.contains(&(host, authority.as_str()))
        || realm_hosts.contains(&authority);
    if allowed {
        return Ok(url);
    }
    Err(format!(
        "its token realm is on {authority}, another host; no credentials were sent. If {authority} \
         is meant to receive them, add it to hosts.\"{host}\".realmHosts in the registry \
         configuration"
    ))
}

/// `host`, or `host:port` where the port is not the scheme's own.
pub(crate) fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(
        url.port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(realm: &str, host: &str, scheme: &str, realm_hosts: &[&str]) -> bool {
        let base = Url::parse(&format!("{scheme}://{host}/v2/")).unwrap();
        let realm_hosts: Vec<_> = realm_hosts.iter().map(|&name| name.to_owned()).collect();
        check(realm, host, &base, &realm_hosts).is_ok()
    }

    #[test]
    fn own_host_and_names_below_it_are_allowed() {
        let host = "registry.example.com";
        assert!(allowed(
            "https://registry.example.com/token",
            host,
            "https",
            &[]
        ));
        assert!(allowed(
            "https://registry.example.com:443/token?x=y",
            host,
            "https",
            &[]
        ));
        assert!(allowed(
            "https://auth.registry.example.com/token",
            host,
            "https",
            &[]
        ));
        assert!(allowed(
            "http://127.0.0.1:5000/token",
            "127.0.0.1:5000",
            "http",
            &[]
        ));
        assert!(allowed(
            "https://auth.docker.io/token",
            "docker.io",
            "https",
            &[]
        ));
        assert!(allowed(
            "https://gitlab.com/jwt/auth",
            "registry.gitlab.com",
            "https",
            &[]
        ));
    }

    #[test]
    fn everything_else_needs_the_list() {
        let host = "registry.example.com";
        for realm in [
            "https://example.com/token",
            "https://auth.example.com/token",
            "https://evil.example/token",
            "https://evilregistry.example.com/token",
            "https://registry.example.com.evil.example/token",
            "https://registry.example.com:8443/token",
            "https://auth.registry.example.com:8443/token",
            "https://registry.example.com@evil.example/token",
            "https://user:pw@registry.example.com/token",
            "http://registry.example.com/token",
            "https://169.254.169.254/latest",
            "file:///etc/passwd",
            "ftp://registry.example.com/token",
            "/token",
            "",
        ] {
            assert!(!allowed(realm, host, "https", &[]), "{realm}");
        }
        assert!(allowed(
            "https://auth.example.com/t",
            host,
            "https",
            &["auth.example.com"]
        ));
        assert!(allowed(
            "https://auth.example.com:8443/t",
            host,
            "https",
            &["auth.example.com:8443"]
        ));
        assert!(!allowed(
            "https://auth.example.com:8443/t",
            host,
            "https",
            &["auth.example.com"]
        ));
        assert!(!allowed(
            "http://auth.example.com/t",
            host,
            "https",
            &["auth.example.com"]
        ));
        assert!(!allowed("https://1.0.0.127/t", "0.0.127", "https", &[]));
        assert!(!allowed(
            "https://auth.docker.io/token",
            "ghcr.io",
            "https",
            &[]
        ));
    }
}
