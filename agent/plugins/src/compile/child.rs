//! The compile child: component on stdin, machine code on stdout, and nothing else. Its exit code
//! says how it went; zero is none of them, so that no other program is taken for it.
//!
//! It sets its own limits before it reads a byte, so that no component can be compiled without them,
//! whoever starts it. Everything happens on its first thread: a second one would cost an allocator
//! arena, which alone takes 64 MiB of the address space that it is allowed.

use std::ffi::{OsStr, OsString};
use std::io::{Read as _, Write as _};
use std::ops::RangeInclusive;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};
use wasmtime::{Engine, OutOfMemory};

use crate::code::MAX_CODE_BYTES;
use crate::engine::config;
use crate::limits::MAX_COMPONENT_BYTES;

/// Address space that the child may use, in MiB, where its arguments do not say otherwise. A Python
/// component of 18 MB, the largest of any language that is supported, is compiled in it.
pub const COMPILE_MEMORY_MIB: u32 = 512;
/// CPU that the child may use, in seconds, where its arguments do not say otherwise. Python's component
/// takes a quarter of it.
pub const COMPILE_CPU_SECONDS: u32 = 60;
/// Three pipes and what the loader of the operating system holds for a moment.
const OPEN_FILES: u64 = 16;

/// What the child may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) memory_mib: u32,
    pub(crate) cpu_seconds: u32,
}

impl Allowance {
    /// What `--memory-mib=` and `--cpu-seconds=` say; the defaults where they are not there, or would
    /// stop every component, or none.
    pub(crate) fn of(arguments: &[OsString]) -> Allowance {
        let figure = |name: &str, range: RangeInclusive<u32>, default| {
            arguments
                .iter()
                .filter_map(|argument| OsStr::to_str(argument)?.strip_prefix(name))
                .filter_map(|figure| figure.parse().ok())
                .find(|figure| range.contains(figure))
                .unwrap_or(default)
        };
        Allowance {
            memory_mib: figure("--memory-mib=", 64..=65_536, COMPILE_MEMORY_MIB),
            cpu_seconds: figure("--cpu-seconds=", 1..=3600, COMPILE_CPU_SECONDS),
        }
    }
}

/// How the child ended, as its exit code says it. None of them is a code of a shell, of the Rust
/// runtime, or of another verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Ending {
    Compiled = 49,
    /// The compiler says no; stderr has its words.
    Refused = 50,
    TooLarge = 51,
    Memory = 52,
    /// It cannot limit itself, so it does nothing.
    Unlimited = 53,
    /// No engine on this machine.
    Engine = 54,
    /// Reading or writing failed.
    Pipe = 55,
    TooMuchCode = 56,
}

impl Ending {
    pub(crate) fn of_code(code: i32) -> Option<Ending> {
        [
            Ending::Compiled,
            Ending::Refused,
            Ending::TooLarge,
            Ending::Memory,
            Ending::Unlimited,
            Ending::Engine,
            Ending::Pipe,
            Ending::TooMuchCode,
        ]
        .into_iter()
        .find(|ending| i32::from(*ending as u8) == code)
    }
}

/// The main function of the compile child: reads a component of at most 32 MiB from stdin, compiles
/// it under limits that it sets itself (address space, CPU, no core file, few open files, no new
/// privileges), and writes the code to stdout. Of its arguments it knows `--memory-mib=N` (default
/// [`COMPILE_MEMORY_MIB`]) and `--cpu-seconds=N` (default [`COMPILE_CPU_SECONDS`]). To be called first
/// in `main`, before any thread is started.
pub fn compile_child() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let (ending, words) = match limited(Allowance::of(&arguments)) {
        Err(error) => (Ending::Unlimited, error.to_string()),
        Ok(()) => compiled(),
    };
    if ending != Ending::Compiled {
        // The parent reads a few KiB of it for the log; there is nobody else to tell.
        let _ = writeln!(std::io::stderr(), "{words}");
    }
    ExitCode::from(ending as u8)
}

fn limited(allowed: Allowance) -> rustix::io::Result<()> {
    let both = |limit| Rlimit {
        current: Some(limit),
        maximum: Some(limit),
    };
    setrlimit(Resource::As, both(u64::from(allowed.memory_mib) << 20))?;
    let cpu = u64::from(allowed.cpu_seconds);
    // The soft limit is a signal that names the cause; the hard one, a second later, a plain kill.
    setrlimit(
        Resource::Cpu,
        Rlimit {
            current: Some(cpu),
            maximum: Some(cpu + 1),
        },
    )?;
    setrlimit(Resource::Core, both(0))?;
    setrlimit(Resource::Nofile, both(OPEN_FILES))?;
    setrlimit(Resource::Fsize, both(MAX_CODE_BYTES))?;
    rustix::thread::set_no_new_privs(true)
}

fn compiled() -> (Ending, String) {
    let mut wasm = Vec::new();
    let read = std::io::stdin()
        .lock()
        .take(MAX_COMPONENT_BYTES + 1)
        .read_to_end(&mut wasm);
    if let Err(error) = read {
        return (Ending::Pipe, error.to_string());
    }
    if wasm.len() as u64 > MAX_COMPONENT_BYTES {
        return (Ending::TooLarge, "larger than 32 MiB".to_owned());
    }
    let engine = match Engine::new(config().parallel_compilation(false)) {
        Ok(engine) => engine,
        Err(error) => return (Ending::Engine, format!("{error:#}")),
    };
    let code = match engine.precompile_component(&wasm) {
        Ok(code) => code,
        Err(error) if error.is::<OutOfMemory>() => return (Ending::Memory, format!("{error:#}")),
        Err(error) => return (Ending::Refused, format!("{error:#}")),
    };
    if code.len() as u64 > MAX_CODE_BYTES {
        return (Ending::TooMuchCode, "more than 128 MiB".to_owned());
    }
    let mut out = std::io::stdout().lock();
    match out.write_all(&code).and_then(|()| out.flush()) {
        Ok(()) => (Ending::Compiled, String::new()),
        Err(error) => (Ending::Pipe, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_from_the_arguments() {
        let of = |line: &str| {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let Allowance {
                memory_mib,
                cpu_seconds,
            } = Allowance::of(&arguments);
            (memory_mib, cpu_seconds)
        };
        let default = (COMPILE_MEMORY_MIB, COMPILE_CPU_SECONDS);
        assert_eq!(of("plugin-compile"), default);
        assert_eq!(of("plugin-compile --memory-mib=700"), (700, default.1));
        assert_eq!(of("--cpu-seconds=90 --memory-mib=700"), (700, 90));
        // What would be no limit, or would stop everything, is not taken.
        for line in [
            "--memory-mib=0",
            "--memory-mib=-1",
            "--memory-mib=99999",
            "--memory-mib=",
            "--cpu-seconds=0",
            "--cpu-seconds=99999",
        ] {
            assert_eq!(of(line), default, "{line}");
        }
    }

    #[test]
    fn endings_are_told_apart_by_their_codes() {
        for code in 0..=255 {
            if let Some(ending) = Ending::of_code(code) {
                assert_eq!(i32::from(ending as u8), code);
            }
        }
        // Success, a panic, a shell's "not found", a verb's "wrong usage": none of ours.
        for code in [0, 1, 2, 101, 126, 127] {
            assert_eq!(Ending::of_code(code), None);
        }
    }
}
