//! WASI 0.2, linked but closed: language runtimes import it whether they use it or not (plugins.md
//! section 3). No files, environment, arguments, input, sockets or names; output goes to the log.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use rand::TryRng;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWrite;
use wasmtime::component::Linker;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder};

use crate::state::CallState;

/// Largest single wish for random bytes.
const MAX_RANDOM_BYTES: u64 = 64 << 10;
/// Output of one call that is kept.
const MAX_OUTPUT_BYTES: usize = 64 << 10;
/// Resolution of both clocks: coarse, against timing probes.
const CLOCK_STEP: Duration = Duration::from_millis(1);

/// Offers the interfaces of `wasi:cli/imports@0.2`.
pub(crate) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)
}

/// How the world looks to the guest.
pub(crate) enum Surroundings<'a> {
    /// Real time, real randomness.
    Real,
    /// For traffic strategies: time stands still, randomness follows from the key, so that the same
    /// input gives the same plan.
    Frozen(&'a str),
}

/// A closed context and the pipe behind its output.
pub(crate) fn closed(surroundings: &Surroundings<'_>) -> (WasiCtx, Output) {
    let output = Output::default();
    let mut builder = WasiCtxBuilder::new();
    builder
        .stdout(output.clone())
        .stderr(output.clone())
        .max_random_size(MAX_RANDOM_BYTES)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .allow_blocking_current_thread(false);
    match surroundings {
        Surroundings::Real => {
            builder
                .monotonic_clock(CoarseClock(Instant::now()))
                .wall_clock(CoarseWall);
        }
        Surroundings::Frozen(key) => {
            builder
                .monotonic_clock(Frozen)
                .wall_clock(Frozen)
                .secure_random(Stretched::new(key, "secure"))
                .insecure_random(Stretched::new(key, "insecure"))
                .insecure_random_seed(seed(key));
        }
    }
    (builder.build(), output)
}

/// Bytes that follow from a key: SHA-256 over purpose, block number and key, block after block.
/// Written out here, because it has to give the same bytes after any update of a library.
struct Stretched {
    key: String,
    purpose: &'static str,
    block: u64,
    rest: VecDeque<u8>,
}

impl Stretched {
    fn new(key: &str, purpose: &'static str) -> Stretched {
        Stretched {
            key: key.to_owned(),
            purpose,
            block: 0,
            rest: VecDeque::new(),
        }
    }

    fn next(&mut self) -> u8 {
        loop {
            if let Some(byte) = self.rest.pop_front() {
                return byte;
            }
            let block = Sha256::new()
                .chain_update(self.purpose.as_bytes())
                .chain_update(self.block.to_be_bytes())
                .chain_update(self.key.as_bytes())
                .finalize();
            self.rest.extend(block);
            self.block = self.block.wrapping_add(1);
        }
    }
}

impl TryRng for Stretched {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((0..4).fold(0, |word, _| (word << 8) | u32::from(self.next())))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok((0..8).fold(0, |word, _| (word << 8) | u64::from(self.next())))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill_with(|| self.next());
        Ok(())
    }
}

fn seed(key: &str) -> u128 {
    let mut bytes = Stretched::new(key, "seed");
    (0..16).fold(0, |seed, _| (seed << 8) | u128::from(bytes.next()))
}

struct CoarseClock(Instant);

impl HostMonotonicClock for CoarseClock {
    fn resolution(&self) -> u64 {
        CLOCK_STEP.as_nanos() as u64
    }

    fn now(&self) -> u64 {
        self.0.elapsed().as_millis() as u64 * self.resolution()
    }
}

struct CoarseWall;

impl HostWallClock for CoarseWall {
    fn resolution(&self) -> Duration {
        CLOCK_STEP
    }

    fn now(&self) -> Duration {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Duration::from_millis(since.as_millis() as u64)
    }
}

/// A clock that stands at zero.
struct Frozen;

impl HostMonotonicClock for Frozen {
    fn resolution(&self) -> u64 {
        CLOCK_STEP.as_nanos() as u64
    }

    fn now(&self) -> u64 {
        0
    }
}

impl HostWallClock for Frozen {
    fn resolution(&self) -> Duration {
        CLOCK_STEP
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

/// Takes all output and keeps the first [`MAX_OUTPUT_BYTES`]. It never fails: a pipe that closes
/// when full makes a chatty guest panic in `println!`.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    lost: u64,
}

impl Output {
    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_OUTPUT_BYTES.saturating_sub(kept.bytes.len());
        let (fits, over) = bytes.split_at(room.min(bytes.len()));
        kept.bytes.extend_from_slice(fits);
        kept.lost = kept.lost.saturating_add(over.len() as u64);
    }

    /// What was written, as text, and how many bytes more.
    pub(crate) fn take(&self) -> (String, u64) {
        let kept = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        (String::from_utf8_lossy(&kept.bytes).into_owned(), kept.lost)
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.keep(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_OUTPUT_BYTES)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.keep(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::ResourceTable;
    use wasmtime_wasi::WasiCtxView;
    use wasmtime_wasi::clocks::WasiClocksView as _;
    use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
    use wasmtime_wasi::p2::bindings::random::{insecure, insecure_seed, random};

    use super::*;

    struct Store(WasiCtx, ResourceTable);

    impl wasmtime_wasi::WasiView for Store {
        fn ctx(&mut self) -> WasiCtxView<'_> {
            WasiCtxView {
                ctx: &mut self.0,
                table: &mut self.1,
            }
        }
    }

    /// Everything that a guest could tell one call from another by.
    fn observed(surroundings: &Surroundings<'_>) -> (Vec<u8>, Vec<u8>, (u64, u64), u64, u64, u64) {
        let (ctx, _) = closed(surroundings);
        let mut store = Store(ctx, ResourceTable::new());
        let secure = random::Host::get_random_bytes(store.0.random(), 5000).unwrap();
        let quick = insecure::Host::get_insecure_random_bytes(store.0.random(), 100).unwrap();
        let seed = insecure_seed::Host::insecure_seed(store.0.random()).unwrap();
        let wall = wall_clock::Host::now(&mut store.clocks()).unwrap();
        let first = monotonic_clock::Host::now(&mut store.clocks()).unwrap();
        std::thread::sleep(Duration::from_millis(3));
        let second = monotonic_clock::Host::now(&mut store.clocks()).unwrap();
        (secure, quick, seed, wall.seconds, first, second)
    }

    #[test]
    fn a_frozen_world_follows_from_the_key_alone() {
        let once = observed(&Surroundings::Frozen("uid/1"));
        assert_eq!(once, observed(&Surroundings::Frozen("uid/1")));
        assert_eq!((once.3, once.4, once.5), (0, 0, 0));
        let other = observed(&Surroundings::Frozen("uid/2"));
        assert!(once.0 != other.0 && once.1 != other.1 && once.2 != other.2);
        assert_ne!(once.0[..100], once.1[..], "two generators, two sequences");
    }

    #[test]
    fn a_real_world_moves_in_whole_milliseconds() {
        let (secure, _, _, wall, first, second) = observed(&Surroundings::Real);
        assert_ne!(secure, observed(&Surroundings::Real).0);
        assert!(wall > 1_700_000_000);
        assert!(second > first);
        assert_eq!((first % 1_000_000, second % 1_000_000), (0, 0));
    }

    #[test]
    fn wishes_for_randomness_are_bounded() {
        let (mut ctx, _) = closed(&Surroundings::Real);
        assert!(random::Host::get_random_bytes(ctx.random(), MAX_RANDOM_BYTES).is_ok());
        assert!(random::Host::get_random_bytes(ctx.random(), MAX_RANDOM_BYTES + 1).is_err());
    }

    #[test]
    fn output_is_kept_up_to_its_limit_and_never_refused() {
        let mut output = Output::default();
        for _ in 0..3 {
            output
                .write(Bytes::from(vec![b'x'; MAX_OUTPUT_BYTES / 2 + 1]))
                .unwrap();
        }
        let (kept, lost) = output.take();
        assert_eq!(kept.len(), MAX_OUTPUT_BYTES);
        assert_eq!(
            lost as usize,
            3 * (MAX_OUTPUT_BYTES / 2 + 1) - MAX_OUTPUT_BYTES
        );
        assert_eq!(output.check_write().unwrap(), MAX_OUTPUT_BYTES);
    }
}
