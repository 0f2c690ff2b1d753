//! Processes of the machine, named so that a number that is used again is not mistaken.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use crate::error::BedError;

/// One process: its number, and when it began in ticks since the machine did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) id: u32,
    pub(crate) began: u64,
}

impl Identity {
    /// The process that has this number now.
    pub(crate) fn of(id: u32) -> Result<Self, BedError> {
        let path = format!("/proc/{id}/stat");
        let stat = fs::read_to_string(&path).map_err(BedError::file("read", &path))?;
        let began = began(&stat).ok_or_else(|| {
            BedError::Absent(format!(
                "{path} does not say when the process began: {stat}"
            ))
        })?;
        Ok(Self { id, began })
    }

    /// This process.
    pub(crate) fn own() -> Result<Self, BedError> {
        Self::of(std::process::id())
    }

    /// Whether it runs. One that ended and was not waited for does not.
    pub(crate) fn lives(self) -> bool {
        fs::read_to_string(format!("/proc/{}/stat", self.id))
            .is_ok_and(|stat| began(&stat) == Some(self.began) && state(&stat) != Some('Z'))
    }

    /// Ends it at once.
    pub(crate) fn kill(self) {
        if self.lives() {
            // It may end in between, which is what was wanted.
            let _ = signal(self.id, Signal::KILL);
        }
    }
}

/// Sends a signal to a process of the machine.
pub(crate) fn signal(id: u32, signal: Signal) -> Result<(), BedError> {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| BedError::Absent(format!("{id} is no number of a process")))?;
    rustix::process::kill_process(pid, signal)
        .map_err(|source| BedError::file("signal", format!("process {id}"))(source.into()))
}

/// The process that started this one.
pub(crate) fn parent(id: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    after_name(&stat).nth(1)?.parse().ok()
}

/// The processes in the process namespace of this file whose first words are these.
pub(crate) fn running(namespace: &Path, words: &[&str]) -> Vec<u32> {
    let Ok(wanted) = fs::read_link(namespace) else {
        return Vec::new();
    };
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    numbers
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|id: &u32| {
            fs::read_link(format!("/proc/{id}/ns/pid")).is_ok_and(|there| there == wanted)
        })
        .filter(|id| {
            let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut said = line.split('\0').map(|word| word.rsplit('/').next());
            words.iter().all(|word| said.next().flatten() == Some(word))
        })
        .collect()
}

/// The fields of `/proc/N/stat` after the name, which may hold blanks and brackets itself.
fn after_name(stat: &str) -> impl Iterator<Item = &str> {
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    rest.split_whitespace()
}

fn state(stat: &str) -> Option<char> {
    after_name(stat).next()?.chars().next()
}

fn began(stat: &str) -> Option<u64> {
    // Field 22 of the whole; the name is the second.
    after_name(stat).nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_a_strange_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 1 1";
        assert_eq!(began(stat), Some(4711));
        assert_eq!(state(stat), Some('S'));
        assert_eq!(began("nothing"), None);
    }

    #[test]
    fn this_process_lives_and_its_number_alone_is_not_it() {
        let own = Identity::own().unwrap();
        assert!(own.lives());
        let other = Identity {
            began: own.began + 1,
            ..own
        };
        assert!(!other.lives());
    }
}
