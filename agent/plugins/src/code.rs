//! Machine code on its way into the process: in memory that has a name only here, and that nobody,
//! not even this process, can change once it is whole.
//!
//! The compile child writes straight into it, and wasmtime maps it: the code exists once, however
//! large it is, and what was verified is what runs. (`deserialize_file` on a file that somebody can
//! still write to would be a hole; Linux lets a memory file be closed for good.)

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::process::Stdio;

use rustix::fs::{MemfdFlags, SealFlags};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Most machine code of one component. Python's 18 MB become 35 MB; the largest component is 32 MiB.
pub(crate) const MAX_CODE_BYTES: u64 = 128 << 20;

/// Code that is still being written.
pub(crate) struct Draft {
    memory: File,
}

impl Draft {
    /// # Errors
    /// The system has no memory files, or no more of them.
    pub(crate) fn new() -> std::io::Result<Draft> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = File::from(rustix::fs::memfd_create("sluice-plugin-code", flags)?);
        // As long as it may become, and no longer from here on, whoever writes: holes take no memory.
        memory.set_len(MAX_CODE_BYTES)?;
        rustix::fs::fcntl_add_seals(&memory, SealFlags::GROW)?;
        Ok(Draft { memory })
    }

    /// For the child to write into.
    pub(crate) fn output(&self) -> std::io::Result<Stdio> {
        self.memory.try_clone().map(Stdio::from)
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.memory.write_all(bytes)
    }

    /// Closes it for good after what was written, whoever still holds it.
    ///
    /// # Errors
    /// In words: nothing was written, or the system cannot close it.
    pub(crate) fn finish(mut self) -> Result<Code, String> {
        let mut closed = || {
            // The child's writing moved this position too.
            let size = self.memory.stream_position()?;
            self.memory.set_len(size)?;
            let all = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::SEAL;
            rustix::fs::fcntl_add_seals(&self.memory, all)?;
            Ok(size)
        };
        let size = closed().map_err(|error: std::io::Error| {
            format!("its code cannot be closed: {}", error.kind())
        })?;
        if size == 0 {
            return Err("it wrote no code".to_owned());
        }
        Ok(Code {
            memory: self.memory,
            size,
        })
    }
}

/// Code that is whole and cannot change.
pub(crate) struct Code {
    memory: File,
    size: u64,
}

impl Code {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Fills `part` from this place on.
    pub(crate) fn read_at(&self, part: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.memory.read_exact_at(part, offset)
    }

    /// Takes the code into the process. **Only for code that the compile child of this agent, or this
    /// process, made**: that is the promise of whoever has a `Code`; it comes from [`Draft`]s that
    /// only `compile` and `cache` fill.
    ///
    /// # Errors
    /// It is of another engine, or broken.
    pub(crate) fn component(&self, engine: &Engine) -> wasmtime::Result<Component> {
        let path = format!("/proc/self/fd/{}", self.memory.as_raw_fd());
        #[expect(
            unsafe_code,
            reason = "SAFETY: the bytes come from Engine::precompile_component of this program, run by \
                      the compile child or by this process, directly or through the cache, which \
                      gives back only what it sealed with this process's key. The file behind the path \
                      has no name elsewhere and is sealed against writing and resizing, so the mapped \
                      code stays as it was."
        )]
        unsafe {
            Component::deserialize_file(engine, path)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::SeekFrom;

    use super::*;

    #[test]
    fn code_cannot_change_once_it_is_whole() {
        let mut draft = Draft::new().unwrap();
        draft.append(b"code").unwrap();
        // As the child has it.
        let mut other = draft.memory.try_clone().unwrap();
        let code = draft.finish().unwrap();
        assert!(other.write_all(b"evil").is_err());
        assert!(other.write_all_at(b"evil", 0).is_err());
        assert!(other.set_len(0).is_err() && other.set_len(100).is_err());
        let by_path = format!("/proc/self/fd/{}", other.as_raw_fd());
        assert!(std::fs::write(by_path, b"evil").is_err());
        let mut read = [0; 4];
        code.read_at(&mut read, 0).unwrap();
        assert_eq!((&read, code.size()), (b"code", 4));
    }

    #[test]
    fn nothing_is_no_code_and_too_much_is_not_written() {
        let words = Draft::new().unwrap().finish().map(|code| code.size());
        assert_eq!(words, Err("it wrote no code".to_owned()));
        let mut draft = Draft::new().unwrap();
        let mut other = draft.memory.try_clone().unwrap();
        other.seek(SeekFrom::Start(MAX_CODE_BYTES - 4)).unwrap();
        draft.append(b"last").unwrap();
        assert!(draft.append(b"more").is_err() && other.write_all(b"more").is_err());
        assert_eq!(draft.finish().unwrap().size(), MAX_CODE_BYTES);
    }

    #[test]
    fn what_is_no_code_of_this_engine_is_refused() {
        let handle = crate::engine::EngineHandle::shared().unwrap();
        for bytes in [b"\x7fELF".as_slice(), b"\0asm\x0d\0\x01\0", &[0; 5000]] {
            let mut draft = Draft::new().unwrap();
            draft.append(bytes).unwrap();
            let code = draft.finish().unwrap();
            assert!(code.component(handle.engine()).is_err());
        }
    }
}
