//! The reference that the host keeps between two events of one rollout.

use std::fmt;

use sluice_sdk::text::is_path_id;

/// What the server calls the rollout, and what it was told last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Thread {
    /// The server's id, where it gave one.
    pub(crate) reference: Option<String>,
    /// Id of the event told last.
    pub(crate) last: String,
}

impl Thread {
    /// Reads `INC-7 <event id>`, with a space first where there is no id. Anything else is `None`: a
    /// new message is better than none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (reference, last) = text.split_once(' ')?;
        let reference = match reference {
            "" => None,
            given if is_path_id(given) => Some(given.to_owned()),
            _ => return None,
        };
        let last = last.to_owned();
        Some(Self { reference, last })
    }

    /// The same thread after another event.
    pub(crate) fn after(self, event: &str) -> Self {
        let last = event.to_owned();
        Self { last, ..self }
    }
}

impl fmt::Display for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}",
            self.reference.as_deref().unwrap_or(""),
            self.last
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_back_with_and_without_an_id() {
        for reference in [None, Some("INC-7".to_owned())] {
            let last = "uid/7 a".to_owned();
            let thread = Thread { reference, last };
            assert_eq!(Thread::read(&thread.to_string()), Some(thread));
        }
    }

    #[test]
    fn what_cannot_stand_in_a_path_is_no_reference() {
        for text in ["", "x", "../x e", "a/b e", ".. e", "%2e e"] {
            assert_eq!(Thread::read(text), None, "{text}");
        }
        assert!(!is_path_id(&"x".repeat(129)));
    }
}
