//! What is fuzzed.

use std::path::Path;
use std::time::Duration;

mod addresses;
mod components;
mod grants;
mod headers;
mod manifest;
mod origins;
mod paths;

/// A check of one input. An error says what is wrong with the code under test.
pub(crate) type Check = Box<dyn Fn(&[u8]) -> Result<(), String>>;

/// One thing that reads foreign input.
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Words of its language.
    pub(crate) words: &'static [&'static str],
    /// Longest time for one input. A hundred times what it takes: the machine may be busy.
    pub(crate) limit: Duration,
    /// Valid inputs.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    pub(crate) check: Check,
}

/// All targets. `compiler` is a program whose main function is the compile child.
pub fn all(compiler: &Path) -> Vec<Target> {
    vec![
        manifest::target(),
        grants::target(),
        paths::target(),
        headers::target(),
        origins::target(),
        addresses::target(),
        components::target(compiler),
    ]
}

/// Bytes as numbers, one after the other, then zeros: how structured inputs are read.
pub(crate) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn of(input: &'a [u8]) -> Bytes<'a> {
        Bytes(input)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }
}
