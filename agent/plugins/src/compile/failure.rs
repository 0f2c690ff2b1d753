//! Why a component was not compiled: stable codes, plain words, and whether trying again can help.

use crate::card::Card;
use crate::code::MAX_CODE_BYTES;

use super::child::Allowance;

/// What stopped the compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It says no.
    Refused,
    /// It panicked.
    Panicked,
    /// It used up its CPU.
    Cpu,
    /// It used up its memory.
    Memory,
    /// It made too much code.
    Code,
    /// It took longer than so many seconds.
    Wall(u64),
    /// Somebody, or a fault of its own, ended it by this signal.
    Signal(i32),
    /// It could not be started, for this reason.
    NotStarted(String),
    /// It does not do what a compile child does.
    Broken(String),
    /// Too many components wait.
    Busy,
    /// What it made cannot be loaded.
    Unusable,
}

impl Failure {
    /// Whether the machine, and not the component, may have been the cause: then it is tried again
    /// after a while. A limit counts as that too: what is slow or large today may pass on a better day,
    /// and the pause grows.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Failure::Refused | Failure::Panicked | Failure::Code => false,
            Failure::Cpu
            | Failure::Memory
            | Failure::Wall(_)
            | Failure::Signal(_)
            | Failure::NotStarted(_)
            | Failure::Broken(_)
            | Failure::Busy
            | Failure::Unusable => true,
        }
    }

    /// For people. `subject` is `slack 1.2.0`.
    pub(crate) fn card(&self, subject: &str, allowed: Allowance) -> Card {
        let card =
            |code, why: String, change: &str| Card::new(code, subject).because(why).change(change);
        let smaller = "make it smaller: generated functions of many megabytes, or very many of them, are typical; the agent tries again later";
        match self {
            Failure::Refused => card(
                "plugin/compile",
                "the component uses something that this agent's compiler refuses".to_owned(),
                "build it with the tools of sluice-sdk; the agent's log has the details",
            ),
            Failure::Panicked => card(
                "plugin/compile",
                "the component made the compiler fail".to_owned(),
                "report the file; the agent's log has the details",
            ),
            Failure::Cpu => card(
                "plugin/compile-killed",
                format!(
                    "compiling it took more than {} s of CPU, and was stopped",
                    allowed.cpu_seconds
                ),
                smaller,
            ),
            Failure::Memory => card(
                "plugin/compile-killed",
                format!(
                    "compiling it took more than the {} MiB of memory that a compiler gets, and was stopped",
                    allowed.memory_mib
                ),
                "make it smaller, or give compilers more memory where the plugin host is started; the agent tries again later",
            ),
            Failure::Code => card(
                "plugin/compile",
                format!(
                    "it became more than {} MiB of machine code",
                    MAX_CODE_BYTES >> 20
                ),
                "make it smaller: generated functions of many megabytes, or very many of them, are typical",
            ),
            Failure::Wall(seconds) => card(
                "plugin/compile-killed",
                format!("compiling it took longer than {seconds} s, and was stopped"),
                smaller,
            ),
            // SIGKILL: nobody but the kernel or an operator sends it.
            Failure::Signal(9) => card(
                "plugin/compile-killed",
                "the compiler was killed, perhaps because the machine has no more memory"
                    .to_owned(),
                "look at the memory of the machine and the limit of the container; the agent tries again later",
            ),
            Failure::Signal(signal) => card(
                "plugin/compile-killed",
                format!("the component made the compiler break down (signal {signal})"),
                "report the file; the agent tries again later",
            ),
            Failure::NotStarted(why) => card(
                "plugin/compile-unavailable",
                format!(
                    "the compiler cannot be started: {}",
                    crate::text::line(why, 200)
                ),
                "look at how the agent was installed; it tries again later",
            ),
            Failure::Broken(why) => card(
                "plugin/compile-unavailable",
                format!("the compiler failed: {}", crate::text::line(why, 200)),
                "look at the agent's log and how it was installed; it tries again later",
            ),
            Failure::Busy => card(
                "plugin/compile-busy",
                "too many plugins wait for the compiler".to_owned(),
                "wait: the agent tries again; or add plugins a few at a time",
            ),
            Failure::Unusable => card(
                "plugin/compile-unavailable",
                "what the compiler made cannot be loaded".to_owned(),
                "install agent and compiler of one version; the agent's log has the details",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_words_are_golden() {
        let all = [
            Failure::Refused,
            Failure::Panicked,
            Failure::Cpu,
            Failure::Memory,
            Failure::Code,
            Failure::Wall(120),
            Failure::Signal(9),
            Failure::Signal(11),
            Failure::NotStarted("entity not found".to_owned()),
            Failure::Broken("it wrote no code".to_owned()),
            Failure::Busy,
            Failure::Unusable,
        ];
        let shown: Vec<String> = all
            .iter()
            .map(|failure| {
                let again = failure.may_pass();
                let allowed = Allowance::of(&[]);
                format!(
                    "again: {again} {}",
                    failure.card("slack 1.2.0", allowed).line()
                )
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }
}
