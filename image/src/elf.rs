//! The program: which machine it is for, and which libraries it loads.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, Result};

/// Where glibc's loader looks without a cache of libraries, which the image does not have.
const SEARCHED: [&str; 3] = ["/lib/", "/usr/lib/", "/lib64/"];

/// The machine of an ELF program, in the words of Go and OCI.
pub(crate) fn architecture(path: &Path, program: &[u8]) -> Result<&'static str> {
    let wrong = |why: &str| Error::Program {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    // e_ident: magic, 64 bit, little endian; then e_type, and e_machine at 18.
    match (program.get(..6), program.get(18..20)) {
        (Some([0x7f, b'E', b'L', b'F', 2, 1]), Some(machine)) => match machine {
            [62, 0] => Ok("amd64"),
            [183, 0] => Ok("arm64"),
            _ => Err(wrong("its machine is neither x86_64 nor aarch64")),
        },
        _ => Err(wrong(
            "it is no 64-bit little-endian ELF file; build it for linux-gnu",
        )),
    }
}

/// A library that the program loads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Library {
    /// On the building machine.
    pub(crate) from: PathBuf,
    /// In the image.
    pub(crate) to: String,
}

/// The libraries and the loader of a program, by `ldd`: it asks the loader itself, which knows
/// search paths and caches better than a reader of ELF files. It runs the program's loader, so the
/// program must be one of ours and for this machine. Empty for a static program.
pub(crate) fn libraries(program: &Path) -> Result<Vec<Library>> {
    let failed = |why: String| Error::Libraries {
        path: program.to_owned(),
        why,
    };
    let output = Command::new("ldd")
        .arg(program)
        .env("LC_ALL", "C")
        // They would put another machine's habits into the image.
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("LD_PRELOAD")
        .output()
        .map_err(|e| failed(format!("ldd cannot be run: {e}; it is part of libc-bin")))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("not a dynamic executable") {
        return Ok(Vec::new());
    }
    if !output.status.success() {
        let why = format!(
            "ldd says {:?}; is the program for this machine?",
            said.trim()
        );
        return Err(failed(why));
    }
    parse(&String::from_utf8_lossy(&output.stdout)).map_err(failed)
}

/// Reads what `ldd` prints.
fn parse(text: &str) -> std::result::Result<Vec<Library>, String> {
    let mut found = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line == "statically linked" {
            return Ok(Vec::new());
        }
        let (name, path) = match line.split_once(" => ") {
            Some((name, rest)) => (name, rest),
            None => (line, line),
        };
        let path = path.split(" (").next().unwrap_or_default();
        if path == "not found" {
            return Err(format!(
                "{name} is not installed; install the package that has it"
            ));
        }
        // The kernel's own, which is no file.
        if !path.starts_with('/') {
            continue;
        }
        let file = path.rsplit('/').next().unwrap_or_default();
        let to = if SEARCHED.iter().any(|folder| path.starts_with(folder)) {
            path.to_owned()
        } else {
            format!("/usr/lib/{file}")
        };
        found.push(Library {
            from: PathBuf::from(path),
            to,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{architecture, libraries, parse};

    #[test]
    fn what_ldd_prints_is_understood() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\
            \tlibgcc_s.so.1 => /lib/x86_64-linux-gnu/libgcc_s.so.1 (0x00007f)\n\
            \tlibodd.so => /opt/odd/libodd.so (0x00007f)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let found = parse(text).unwrap();
        let to: Vec<&str> = found.iter().map(|library| library.to.as_str()).collect();
        assert_eq!(
            to,
            [
                "/lib/x86_64-linux-gnu/libgcc_s.so.1",
                "/usr/lib/libodd.so",
                "/lib64/ld-linux-x86-64.so.2"
            ]
        );
        assert!(parse("\tstatically linked\n").unwrap().is_empty());
        let missing = parse("\tlibx.so.1 => not found\n").unwrap_err();
        assert!(missing.contains("libx.so.1"), "{missing}");
    }

    #[test]
    fn this_test_is_a_program_with_a_loader() {
        let program = std::env::current_exe().unwrap();
        let found = libraries(&program).unwrap();
        assert!(found.iter().any(|l| l.to.contains("libc.so")), "{found:?}");
        assert!(
            found.iter().any(|l| l.to.contains("/ld-linux")),
            "{found:?}"
        );
        let bytes = std::fs::read(&program).unwrap();
        let expected = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            _ => "arm64",
        };
        assert_eq!(architecture(&program, &bytes).unwrap(), expected);
    }

    #[test]
    fn a_script_is_no_program() {
        let error = architecture(Path::new("x.sh"), b"#!/bin/sh\n").unwrap_err();
        assert!(error.to_string().contains("no 64-bit"), "{error}");
    }
}
