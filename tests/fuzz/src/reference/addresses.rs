//! The deny list of plugins.md, section 5, as lists of ranges and nothing else.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

/// What a target may reach beyond public addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    pub(crate) private: bool,
    pub(crate) loopback: bool,
}

const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];
const NEVER: [&str; 15] = [
    "0.0.0.0/8",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "192.0.0.192/32",
    "168.63.129.16/32",
    "::/128",
    "ff00::/8",
    "fe80::/10",
    "fec0::/10",
    "fd00:ec2::254/128",
    // An address is hidden in these at a place or in a way that cannot be judged.
    "2001::/32",
    "64:ff9b:1::/48",
    "::ffff:0:0/112",
];
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

pub(crate) fn refused(address: IpAddr, port: u16, reach: Reach, cluster: &[IpNet]) -> bool {
    if port == 0 || port == 10250 {
        return true;
    }
    let address = unwrapped(address);
    if within(address, &LOOPBACK) {
        return !reach.loopback;
    }
    // A net of the cluster may be written in either form.
    let forms = match address {
        IpAddr::V4(v4) => vec![address, v4.to_ipv6_mapped().into()],
        IpAddr::V6(_) => vec![address],
    };
    if forms
        .iter()
        .any(|form| cluster.iter().any(|net| net.contains(form)))
    {
        return true;
    }
    within(address, &NEVER) || (within(address, &PRIVATE) && !reach.private)
}

fn within(address: IpAddr, ranges: &[&str]) -> bool {
    ranges
        .iter()
        .map(|range| range.parse::<IpNet>().expect("a range"))
        .any(|range| range.contains(&address))
}

/// The IPv4 address that an IPv6 one leads to.
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let bits = v6.to_bits();
    let lowest = Ipv4Addr::from_bits((bits & 0xffff_ffff) as u32);
    let above = bits >> 32;
    // ::ffff:0:0/96, 64:ff9b::/96, and ::/96 but for :: and ::1 themselves.
    let at_the_end =
        above == 0xffff || above == 0x0064_ff9b_0000_0000_0000_0000 || (above == 0 && bits > 1);
    if at_the_end {
        return lowest.into();
    }
    match bits >> 112 {
        0x2002 => Ipv4Addr::from_bits(((bits >> 80) & 0xffff_ffff) as u32).into(),
        _ => address,
    }
}
