//! The reference that the host keeps between two events of one rollout.

use std::fmt;

/// Where the rollout's thread is, and what it was told last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thread {
    /// Slack's id of the channel. An update takes no name.
    pub(crate) channel: String,
    /// Time stamp of the first message, which is its id.
    pub(crate) ts: String,
    /// Id of the event told last.
    pub(crate) last: String,
}

impl Thread {
    /// Reads `C024BE91L 1503435956.000247 <event id>`. Anything else is `None`: a new thread is
    /// better than none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ' ');
        let (channel, ts, last) = (parts.next()?, parts.next()?, parts.next()?);
        let fits = !channel.is_empty()
            && channel.bytes().all(|b| b.is_ascii_alphanumeric())
            && !ts.is_empty()
            && ts.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        fits.then(|| Self {
            channel: channel.into(),
            ts: ts.into(),
            last: last.into(),
        })
    }
}

impl fmt::Display for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.channel, self.ts, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_back() {
        let thread = Thread {
            channel: "C024BE91L".into(),
            ts: "1503435956.000247".into(),
            last: "uid/7 a".into(),
        };
        assert_eq!(Thread::read(&thread.to_string()), Some(thread));
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "C1",
            "C1 1.0",
            "C1  x",
            " 1.0 x",
            "C1 abc x",
            "C-1 1.0 x",
        ] {
            assert_eq!(Thread::read(text), None, "{text}");
        }
    }
}
