//! Which network addresses a registry may have.
//!
//! A Pipeline's author names a repository, and the agent stands inside the cluster: without this the
//! name would reach the cloud's metadata service or the Kubernetes API (reliability.md H5, attack
//! 25). The check is on the addresses that are then connected to, so that a name cannot change in
//! between.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A host's address that may not be connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} has the {kind} address {address}, which is not allowed{}", if *.listable {
    "; if it is meant, add the host to hosts in the registry configuration"
} else {
    ""
})]
pub(crate) struct Blocked {
    host: String,
    address: IpAddr,
    kind: &'static str,
    listable: bool,
}

/// Checks one address of `host`. A host that the configuration lists may be anywhere but on
/// link-local and other addresses that no registry has.
pub(crate) fn check(host: &str, address: IpAddr, listed: bool) -> Result<(), Blocked> {
    let blocked = |kind, listable| {
        Err(Blocked {
            host: host.to_owned(),
            address,
            kind,
            listable,
        })
    };
    if let Some(kind) = never(unwrapped(address)) {
        return blocked(kind, false);
    }
    match private(unwrapped(address)) {
        Some(kind) if !listed => blocked(kind, true),
        Some(_) | None => Ok(()),
    }
}

/// The IPv4 address inside an IPv6 one (mapped, NAT64, 6to4): that is where the packets would go.
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address.to_canonical() else {
        return address.to_canonical();
    };
    let from = |high: u16, low: u16| {
        IpAddr::V4(Ipv4Addr::from_bits(
            (u32::from(high) << 16) | u32::from(low),
        ))
    };
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => from(high, low),
        _ => IpAddr::V6(v6),
    }
}

/// Addresses that no registry has.
fn never(address: IpAddr) -> Option<&'static str> {
    /// Where one cloud serves its metadata over IPv6, inside a range that is otherwise private.
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match address {
        IpAddr::V4(v4) if v4.is_link_local() => Some("link-local"),
        IpAddr::V4(v4) if v4.is_multicast() || v4.is_broadcast() => Some("multicast"),
        IpAddr::V4(v4) if v4.octets().starts_with(&[0]) => Some("unspecified"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() || v6 == METADATA => Some("link-local"),
        IpAddr::V6(v6) if v6.is_multicast() => Some("multicast"),
        IpAddr::V6(v6) if v6.is_unspecified() => Some("unspecified"),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// Addresses inside a host, a cluster or a company.
fn private(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) if v4.is_loopback() => Some("loopback"),
        IpAddr::V6(v6) if v6.is_loopback() => Some("loopback"),
        IpAddr::V4(v4) if v4.is_private() => Some("private"),
        IpAddr::V6(v6) if v6.is_unique_local() => Some("private"),
        IpAddr::V4(v4) => match v4.octets() {
            // Carrier-grade NAT, protocol assignments, benchmarks, reserved: all routed internally.
            [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18..=19, ..] | [240..=255, ..] => {
                Some("private")
            }
            _ => None,
        },
        IpAddr::V6(_) => None,
    }
}

/// Resolves names and answers only with addresses that passed [`check`].
pub(crate) struct CheckedResolver {
    /// Host names (no ports) that the configuration lists, and the proxies'.
    pub(crate) listed: Arc<BTreeSet<String>>,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let listed = self.listed.contains(name.as_str());
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            for address in &found {
                check(name.as_str(), address.ip(), listed)?;
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(address: &str, listed: bool) -> bool {
        check("a.example", address.parse().unwrap(), listed).is_err()
    }

    #[test]
    fn an_unlisted_host_must_be_public() {
        for address in [
            "127.0.0.1",
            "10.96.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
        ] {
            assert!(refused(address, false), "{address}");
            assert!(!refused(address, true), "{address}");
        }
        for address in [
            "93.184.216.34",
            "100.128.0.1",
            "172.32.0.1",
            "2606:2800:220:1::1",
        ] {
            assert!(!refused(address, false), "{address}");
        }
    }

    #[test]
    fn no_host_is_link_local() {
        for address in [
            "169.254.169.254",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "fe80::1",
            "ff02::1",
            "::",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
        ] {
            assert!(refused(address, true), "{address}");
        }
    }

    #[test]
    fn the_message_says_what_to_do_only_where_it_helps() {
        let private = check("a.example", "10.0.0.1".parse().unwrap(), false).unwrap_err();
        assert_eq!(
            private.to_string(),
            "a.example has the private address 10.0.0.1, which is not allowed; if it is meant, add \
             the host to hosts in the registry configuration"
        );
        let metadata = check("a.example", "169.254.169.254".parse().unwrap(), true).unwrap_err();
        assert!(
            metadata.to_string().ends_with("is not allowed"),
            "{metadata}"
        );
    }
}
