//! The ticket that the host keeps while a request is open.

use std::fmt;

use sluice_sdk::Error;

/// Where the message is, and what it showed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// Slack's id of the channel. An update takes no name.
    pub(crate) channel: String,
    /// Time stamp of the message, which is its id.
    pub(crate) ts: String,
    /// A number for what the message shows.
    pub(crate) shown: u64,
}

impl Ticket {
    /// Reads `C024BE91L 1503435956.000247 91ac…`.
    ///
    /// # Errors
    /// It is no ticket of this plugin: repeating the call is useless.
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        let parts: Vec<&str> = text.split(' ').collect();
        let ticket = match parts.as_slice() {
            [channel, ts, shown] => Self::of(channel, ts, shown),
            _ => None,
        };
        ticket.ok_or_else(|| Error::Denied("the ticket is none of this plugin's".into()))
    }

    fn of(channel: &str, ts: &str, shown: &str) -> Option<Self> {
        let fits = !channel.is_empty()
            && channel.bytes().all(|b| b.is_ascii_alphanumeric())
            && !ts.is_empty()
            && ts.bytes().all(|b| b.is_ascii_digit() || b == b'.')
            && shown.len() == 16;
        Some(Self {
            channel: channel.into(),
            ts: ts.into(),
            shown: u64::from_str_radix(shown, 16).ok().filter(|_| fits)?,
        })
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:016x}", self.channel, self.ts, self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_reads_back_and_nothing_else_does() {
        let ticket = Ticket {
            channel: "C024BE91L".into(),
            ts: "1503435956.000247".into(),
            shown: 7,
        };
        assert_eq!(Ticket::read(&ticket.to_string()), Ok(ticket));
        for text in [
            "",
            "C1 1.0",
            "C1 1.0 7",
            "C1 1.0 000000000000000x",
            "C1 abc 0000000000000007",
            "C-1 1.0 0000000000000007",
            "C1 1.0 0000000000000007 more",
        ] {
            assert!(Ticket::read(text).is_err(), "{text}");
        }
    }
}
