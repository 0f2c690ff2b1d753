//! The deny list over every way to write an address into another one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;
use sluice_plugins::proving;

use super::{Bytes, Target};
use crate::reference::addresses::{Reach, refused};

/// Addresses at the edges of the ranges that matter.
const EDGES: [[u8; 4]; 20] = [
    [127, 0, 0, 1],
    [126, 255, 255, 255],
    [128, 0, 0, 0],
    [169, 254, 169, 254],
    [169, 253, 255, 255],
    [169, 255, 0, 0],
    [100, 64, 0, 0],
    [100, 63, 255, 255],
    [100, 127, 255, 255],
    [100, 128, 0, 0],
    [192, 0, 0, 192],
    [168, 63, 129, 16],
    [10, 96, 0, 1],
    [172, 16, 0, 0],
    [172, 31, 255, 255],
    [172, 32, 0, 0],
    [192, 168, 0, 1],
    [0, 0, 0, 0],
    [224, 0, 0, 1],
    [255, 255, 255, 255],
];
const PREFIXES: [u16; 14] = [
    0, 0x0064, 0xff9b, 0x2001, 0x2002, 0xfe80, 0xfec0, 0xff02, 0xfc00, 0xfd00, 0x0ec2, 0xfd12,
    0x2606, 0xffff,
];
const PORTS: [u16; 5] = [443, 80, 0, 10250, 10249];
const CLUSTERS: [&[&str]; 4] = [
    &[],
    &["10.96.0.1/32", "192.0.2.0/24"],
    &["fd12::/32", "::ffff:10.0.0.0/104"],
    &["8.8.0.0/16", "2606::/16"],
];

pub(super) fn target() -> Target {
    Target {
        name: "addresses",
        words: &["\u{1}", "\u{2}", "\u{0}"],
        limit: Duration::from_secs(1),
        seeds: || {
            (0..40u8)
                .map(|n| vec![n, n % 6, n % 4, n % 5, n, 1, 2, 3])
                .collect()
        },
        check: Box::new(check),
    }
}

fn v4(bytes: &mut Bytes<'_>) -> Ipv4Addr {
    match bytes.byte() % 2 {
        0 => bytes.pick(&EDGES).into(),
        _ => [bytes.byte(), bytes.byte(), bytes.byte(), bytes.byte()].into(),
    }
}

/// An address, and perhaps another address around it.
fn address(bytes: &mut Bytes<'_>) -> IpAddr {
    let form = bytes.byte() % 7;
    let inner = v4(bytes);
    let [a, b, c, d] = inner.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    match form {
        0 => inner.into(),
        1 => inner.to_ipv6_mapped().into(),
        2 => Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low).into(),
        3 => Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low).into(),
        4 => Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, u16::from(bytes.byte())).into(),
        5 => {
            let mut segments = [0u16; 8];
            for segment in &mut segments {
                *segment = bytes.pick(&PREFIXES);
            }
            Ipv6Addr::from(segments).into()
        }
        _ => {
            let mut octets = [0u8; 16];
            for octet in &mut octets {
                *octet = bytes.byte();
            }
            Ipv6Addr::from(octets).into()
        }
    }
}

fn check(input: &[u8]) -> Result<(), String> {
    let mut bytes = Bytes::of(input);
    let reach = bytes.byte();
    let reach = Reach {
        private: reach & 1 == 1,
        loopback: reach & 2 == 2,
    };
    let port = bytes.pick(&PORTS);
    let cluster: Vec<IpNet> = bytes
        .pick(&CLUSTERS)
        .iter()
        .map(|net| net.parse().expect("a net"))
        .collect();
    let address = address(&mut bytes);
    let real = proving::refused(address, port, reach.private, reach.loopback, &cluster);
    let expected = refused(address, port, reach, &cluster);
    match real == expected {
        true => Ok(()),
        false => Err(format!(
            "{address} port {port} {reach:?} {cluster:?}: refused {real}, and by the rules {expected}"
        )),
    }
}
