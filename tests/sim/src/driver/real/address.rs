//! Loopback addresses: 127.A.B.C, with an A of its own for every cluster.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::net::{TcpListener, TcpSocket};

/// Clusters of this process so far.
static CLUSTERS: AtomicU32 = AtomicU32::new(0);

/// The values of A: not 0, where the rest of the machine lives.
const FIRST: u32 = 64;
const COUNT: u32 = 190;

/// Addresses that are tried for one pod or Service before giving up: another process on the same A
/// holds at most a few.
const TRIES: u32 = 64;

/// Connections that wait to be accepted. A burst of clients must not be turned away.
const BACKLOG: u32 = 1024;

/// The addresses of one cluster. None is used twice: an old client never meets a new pod.
#[derive(Debug)]
pub(super) struct Addresses {
    block: u8,
    pods: u32,
    services: u32,
}

impl Addresses {
    /// Takes a block and checks that the machine has it.
    pub(super) fn claim() -> Result<Self, String> {
        let turn = CLUSTERS.fetch_add(1, Ordering::Relaxed);
        // Two processes at once start in different places; where they meet, a taken address is
        // skipped.
        let slot = std::process::id().wrapping_mul(7).wrapping_add(turn) % COUNT;
        let block = u8::try_from(FIRST + slot).unwrap_or(u8::MAX);
        let addresses = Self {
            block,
            pods: 0,
            services: 0,
        };
        let probe = addresses.pod(1);
        bind(probe, 0).map_err(|why| explain(probe, 0, &why))?;
        Ok(addresses)
    }

    fn pod(&self, number: u32) -> Ipv4Addr {
        self.address(0, number)
    }

    /// B below 128 is for pods, the rest for Services; C is neither 0 nor 255.
    fn address(&self, half: u8, number: u32) -> Ipv4Addr {
        let third = u8::try_from((number / 254) % 128).unwrap_or_default();
        let last = u8::try_from(number % 254 + 1).unwrap_or(1);
        Ipv4Addr::new(127, self.block, half + third, last)
    }

    /// Listens on all ports of a new pod.
    pub(super) fn bind_pod(
        &mut self,
        ports: &[u16],
    ) -> Result<(Ipv4Addr, Vec<TcpListener>), String> {
        let mut number = self.pods;
        let bound = self.bind_next(0, &mut number, ports);
        self.pods = number;
        bound
    }

    /// Listens on all ports of a new Service.
    pub(super) fn bind_service(
        &mut self,
        ports: &[u16],
    ) -> Result<(Ipv4Addr, Vec<TcpListener>), String> {
        let mut number = self.services;
        let bound = self.bind_next(128, &mut number, ports);
        self.services = number;
        bound
    }

    fn bind_next(
        &self,
        half: u8,
        number: &mut u32,
        ports: &[u16],
    ) -> Result<(Ipv4Addr, Vec<TcpListener>), String> {
        let mut last = String::new();
        for _ in 0..TRIES {
            *number = number.wrapping_add(1);
            let address = self.address(half, *number);
            let mut listeners = Vec::new();
            let mut taken = false;
            for port in ports {
                match bind(address, *port) {
                    Ok(listener) => listeners.push(listener),
                    Err(why) => {
                        taken = why.kind() == io::ErrorKind::AddrInUse;
                        last = explain(address, *port, &why);
                        break;
                    }
                }
            }
            if listeners.len() == ports.len() {
                return Ok((address, listeners));
            }
            if !taken {
                break;
            }
        }
        Err(last)
    }
}

/// Listens on an address. Needs a tokio runtime around it.
pub(super) fn bind(address: Ipv4Addr, port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddrV4::new(address, port).into())?;
    socket.listen(BACKLOG)
}

/// What a failure to listen means and what helps.
pub(super) fn explain(address: Ipv4Addr, port: u16, why: &io::Error) -> String {
    let help = match why.kind() {
        io::ErrorKind::AddrNotAvailable => format!(
            "this system has no such loopback address. Linux has all of 127.0.0.0/8; on macOS add \
             the addresses first, each with `sudo ifconfig lo0 alias {address}`, or use Linux"
        ),
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need privileges: give the container or the Service port 1024 or more"
                .to_owned()
        }
        io::ErrorKind::AddrInUse => "another process listens there".to_owned(),
        _ => "see the error of the system".to_owned(),
    };
    format!("cannot listen on {address}:{port} ({why}): {help}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io;
    use std::net::Ipv4Addr;

    use super::{Addresses, explain};

    #[test]
    fn addresses_do_not_repeat() {
        let addresses = Addresses {
            block: 70,
            pods: 0,
            services: 0,
        };
        let mut seen = BTreeSet::new();
        for number in 1..=30_000 {
            for half in [0, 128] {
                let address = addresses.address(half, number);
                assert!(seen.insert(address), "{address} twice");
                let [first, block, _, last] = address.octets();
                assert!(first == 127 && block == 70 && last != 0 && last != 255);
            }
        }
    }

    #[test]
    fn a_failure_says_what_helps() {
        let address = Ipv4Addr::new(127, 70, 0, 2);
        let missing = explain(address, 8080, &io::ErrorKind::AddrNotAvailable.into());
        assert!(
            missing.contains("macOS") && missing.contains("127.70.0.2"),
            "{missing}"
        );
        let low = explain(address, 80, &io::ErrorKind::PermissionDenied.into());
        assert!(low.contains("1024"), "{low}");
    }
}
