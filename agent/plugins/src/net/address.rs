//! Which addresses no plugin may reach, whatever was granted by name (plugins.md section 5).
//!
//! The list is applied to resolved addresses, never to names: a name is only a promise of whoever
//! runs its DNS. An IPv4 address inside an IPv6 one is taken out and judged as IPv4.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The kubelet's port. It executes commands in pods.
const KUBELET_PORT: u16 = 10_250;

/// What a target is allowed beyond public addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Private ranges: pods and Services.
    pub(crate) private: bool,
    /// This machine: demo and tests only.
    pub(crate) loopback: bool,
}

/// Why an address is refused, in words for an operator.
pub(crate) fn refusal(
    address: IpAddr,
    port: u16,
    reach: Reach,
    cluster: &[IpNet],
) -> Option<&'static str> {
    if port == 0 {
        return Some("port 0 is no port");
    }
    if port == KUBELET_PORT {
        return Some("port 10250 belongs to the kubelet");
    }
    match address {
        IpAddr::V4(v4) => refusal_v4(v4, reach, cluster),
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => refusal_v4(v4, reach, cluster),
            None => refusal_v6(v6, reach, cluster),
        },
    }
}

fn refusal_v4(address: Ipv4Addr, reach: Reach, cluster: &[IpNet]) -> Option<&'static str> {
    let [a, b, ..] = address.octets();
    if address.is_loopback() {
        return (!reach.loopback).then_some("it is the agent's own machine (loopback)");
    }
    if cluster.iter().any(|denied| holds_v4(denied, address)) {
        return Some("it is a node or the API server of this cluster");
    }
    if a == 0 {
        return Some("it is unspecified (0.0.0.0/8)");
    }
    if a == 169 && b == 254 {
        return Some("it is link-local (169.254.0.0/16), where clouds keep their metadata");
    }
    if a == 100 && (64..128).contains(&b) {
        return Some(
            "it is shared address space (100.64.0.0/10), where clouds keep their metadata",
        );
    }
    if address == Ipv4Addr::new(192, 0, 0, 192) || address == Ipv4Addr::new(168, 63, 129, 16) {
        return Some("it is a cloud's metadata or control address");
    }
    if a >= 224 {
        return Some("it is multicast, reserved or broadcast");
    }
    if address.is_private() {
        return (!reach.private).then_some(
            "it is a private address; only targets of type cluster-service reach those",
        );
    }
    None
}

fn refusal_v6(address: Ipv6Addr, reach: Reach, cluster: &[IpNet]) -> Option<&'static str> {
    let [s0, s1, s2, ..] = address.segments();
    if address.is_loopback() {
        return (!reach.loopback).then_some("it is the agent's own machine (loopback)");
    }
    if cluster
        .iter()
        .any(|denied| denied.contains(&IpAddr::V6(address)))
    {
        return Some("it is a node or the API server of this cluster");
    }
    if address.is_unspecified() {
        return Some("it is unspecified (::)");
    }
    if s0 & 0xff00 == 0xff00 {
        return Some("it is multicast (ff00::/8)");
    }
    if s0 & 0xffc0 == 0xfe80 || s0 & 0xffc0 == 0xfec0 {
        return Some("it is link-local (fe80::/10)");
    }
    if address == Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254) {
        return Some("it is a cloud's metadata address");
    }
    // Teredo hides an IPv4 address behind an exclusive or, and the local NAT64 prefix hides it at a
    // place that only the network's owner knows: neither can be judged, so neither is reached.
    if s0 == 0x2001 && s1 == 0 {
        return Some("it is a Teredo tunnel (2001::/32)");
    }
    if s0 == 0x0064 && s1 == 0xff9b && s2 == 1 {
        return Some("it is a local NAT64 address (64:ff9b:1::/48)");
    }
    if s0 & 0xfe00 == 0xfc00 {
        return (!reach.private).then_some(
            "it is a private address; only targets of type cluster-service reach those",
        );
    }
    None
}

/// The IPv4 address inside `::ffff:0:0/96`, `::/96`, `64:ff9b::/96` and `2002::/16`.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = address.segments();
    let low = (u32::from(s6) << 16) | u32::from(s7);
    let mapped = [s0, s1, s2, s3, s4, s5] == [0, 0, 0, 0, 0, 0xffff];
    // `::` and `::1` are addresses of their own.
    let compatible = [s0, s1, s2, s3, s4, s5] == [0; 6] && low > 1;
    let nat64 = [s0, s1, s2, s3, s4, s5] == [0x0064, 0xff9b, 0, 0, 0, 0];
    if mapped || compatible || nat64 {
        return Some(Ipv4Addr::from_bits(low));
    }
    (s0 == 0x2002).then(|| Ipv4Addr::from_bits((u32::from(s1) << 16) | u32::from(s2)))
}

fn holds_v4(denied: &IpNet, address: Ipv4Addr) -> bool {
    match denied {
        IpNet::V4(net) => net.contains(&address),
        IpNet::V6(net) => net.contains(&address.to_ipv6_mapped()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PUBLIC: Reach = Reach {
        private: false,
        loopback: false,
    };
    const SERVICE: Reach = Reach {
        private: true,
        loopback: false,
    };

    fn refused(address: &str, reach: Reach) -> bool {
        refusal(address.parse().unwrap(), 443, reach, &[]).is_some()
    }

    #[test]
    fn the_deny_list_holds_even_for_cluster_targets() {
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "169.254.169.254",
            "fe80::1",
            "fec0::1",
            "100.100.100.200",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.192",
            "fd00:ec2::254",
            "168.63.129.16",
            "::ffff:169.254.169.254",
            "::ffff:127.0.0.1",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:a9fe:a9fe::",
            "2002:7f00:1::1",
            "2001:0:1::1",
        ] {
            assert!(refused(address, SERVICE), "{address}");
        }
    }

    #[test]
    fn private_ranges_need_a_cluster_target() {
        for address in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "fc00::1",
            "fd12::1",
            "::ffff:10.1.2.3",
            "64:ff9b::a00:1",
            "2002:c0a8:101::",
        ] {
            assert!(refused(address, PUBLIC), "{address}");
            assert!(!refused(address, SERVICE), "{address}");
        }
    }

    #[test]
    fn neighbours_of_the_ranges_are_public() {
        for address in [
            "100.63.255.255",
            "100.128.0.0",
            "169.253.1.1",
            "172.15.1.1",
            "172.32.0.1",
            "223.255.255.255",
            "1.1.1.1",
            "2606:4700::1111",
            "168.63.129.17",
            "64:ff9b::101:101",
        ] {
            assert!(!refused(address, PUBLIC), "{address}");
        }
    }

    #[test]
    fn loopback_needs_its_own_permission_and_nothing_else_comes_with_it() {
        let demo = Reach {
            private: false,
            loopback: true,
        };
        assert!(!refused("127.0.0.1", demo));
        assert!(!refused("::1", demo));
        assert!(refused("10.0.0.1", demo));
        assert!(refused("169.254.169.254", demo));
    }

    #[test]
    fn nodes_the_api_server_and_the_kubelet_stay_closed() {
        let cluster = ["10.0.0.7/32", "10.9.0.0/16", "fd12::7/128"].map(|net| net.parse().unwrap());
        let all = Reach {
            private: true,
            loopback: true,
        };
        assert!(refusal("10.0.0.7".parse().unwrap(), 80, all, &cluster).is_some());
        assert!(refusal("::ffff:10.0.0.7".parse().unwrap(), 80, all, &cluster).is_some());
        assert!(refusal("fd12::7".parse().unwrap(), 80, all, &cluster).is_some());
        assert!(refusal("10.0.0.8".parse().unwrap(), 80, all, &cluster).is_none());
        assert!(refusal("10.9.3.4".parse().unwrap(), 80, all, &cluster).is_some());
        assert!(refusal("::ffff:10.9.3.4".parse().unwrap(), 80, all, &cluster).is_some());
        assert!(refusal("10.10.0.1".parse().unwrap(), 80, all, &cluster).is_none());
        assert!(refusal("10.0.0.8".parse().unwrap(), 10_250, all, &cluster).is_some());
    }

    proptest! {
        // Fuzz "allow/deny over random address encodings" (plugins.md section 10): every way to
        // wrap an IPv4 address is judged as the address itself.
        #[test]
        fn wrapping_changes_no_verdict(bits in any::<u32>(), private in any::<bool>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            let reach = Reach { private, loopback: false };
            let direct = refusal(IpAddr::V4(v4), 443, reach, &[]);
            let [a, b, c, d] = v4.octets();
            let (high, low) =
                (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            let wrapped = [
                v4.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ];
            for v6 in wrapped {
                prop_assert_eq!(refusal(IpAddr::V6(v6), 443, reach, &[]), direct, "{}", v6);
            }
        }
    }
}
