//! Whom and where: what people write in settings, checked before anything depends on it.

use serde::{Deserialize, Deserializer, de};

use crate::Issue;
use crate::settings::issue;

/// Longest name of a Slack channel.
const MAX_CHANNEL_CHARS: usize = 80;

/// Whom to call, as Slack writes it: `<!here>`, `<@U024BE7LH>`, `<!subteam^S0614TZR7>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention(String);

impl Mention {
    /// Reads `@here`, `@channel`, a person's or a user group's id.
    ///
    /// # Errors
    /// Says how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_id = |text: &str| {
            (8..=20).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        match text {
            "@here" => Ok(Self("<!here>".into())),
            "@channel" => Ok(Self("<!channel>".into())),
            person if person.starts_with(['U', 'W']) && is_id(person) => {
                Ok(Self(format!("<@{person}>")))
            }
            group if group.starts_with('S') && is_id(group) => {
                Ok(Self(format!("<!subteam^{group}>")))
            }
            _ => Err(format!(
                "`{text}` calls nobody: write @here, @channel, a member id such as U024BE7LH, or a \
                 user group id such as S0614TZR7"
            )),
        }
    }

    /// As it stands in a message.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Mention {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// The complaint about a setting that can be no channel. Channels are `#deploys`, or an id such as
/// `C024BE91L`; private ones by id only.
#[must_use]
pub fn channel_issue(pointer: &str, channel: &str) -> Option<Issue> {
    let name = channel.strip_prefix('#').unwrap_or(channel);
    let fits = !name.is_empty()
        && name.chars().count() <= MAX_CHANNEL_CHARS
        && !name
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || "#@<>&,.".contains(c));
    let hint =
        "write \"#deploys\" (quoted: # begins a comment in YAML), or an id such as C024BE91L";
    (!fits).then(|| issue(pointer, &format!("`{channel}` is no Slack channel"), hint))
}
