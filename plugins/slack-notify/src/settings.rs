//! Where to post, and whom to call.

use serde::{Deserialize, Deserializer, de};
use sluice_sdk::Issue;
use sluice_sdk::settings::issue;

/// Longest name of a Slack channel.
const MAX_CHANNEL_CHARS: usize = 80;

/// The plugin's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// `#deploys`, or a channel's id such as `C024BE91L`. Private channels by id only.
    pub channel: String,
    /// Whom to call at critical events: `@here`, `@channel`, a person's id (`U024BE7LH`) or a
    /// user group's (`S0614TZR7`).
    #[serde(default)]
    pub mention: Option<Mention>,
    /// Whether the first message always shows the newest state. Otherwise each event is a reply.
    #[serde(default = "yes")]
    pub update_in_place: bool,
}

fn yes() -> bool {
    true
}

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

/// What serde cannot see: that the channel can be one.
#[must_use]
pub fn validate(settings: &Settings) -> Vec<Issue> {
    let channel = &settings.channel;
    let name = channel.strip_prefix('#').unwrap_or(channel);
    let fits = !name.is_empty()
        && name.chars().count() <= MAX_CHANNEL_CHARS
        && !name
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || "#@<>&,.".contains(c));
    if fits {
        return Vec::new();
    }
    let hint =
        "write \"#deploys\" (quoted: # begins a comment in YAML), or an id such as C024BE91L";
    vec![issue(
        "/channel",
        &format!("`{channel}` is no Slack channel"),
        hint,
    )]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn issues(settings: &Value) -> Vec<Issue> {
        sluice_sdk::settings::check::<Settings>(&settings.to_string(), validate)
    }

    #[test]
    fn good_settings_are_accepted() {
        for channel in ["#deploys", "deploys", "C024BE91L", "#déploiements_prod-1"] {
            assert_eq!(issues(&json!({"channel": channel})), [], "{channel}");
        }
        for mention in ["@here", "@channel", "U024BE7LH", "W024BE7LH", "S0614TZR7"] {
            assert_eq!(
                issues(&json!({"channel": "#d", "mention": mention})),
                [],
                "{mention}"
            );
        }
    }

    #[test]
    fn bad_settings_are_named_with_their_place() {
        let cases = [
            (json!({}), ""),
            (json!({"channel": null}), "/channel"),
            (json!({"channel": "#"}), "/channel"),
            (json!({"channel": "two words"}), "/channel"),
            (json!({"channel": "<!channel>"}), "/channel"),
            (json!({"channel": "x".repeat(81)}), "/channel"),
            (json!({"channel": "#d", "mention": "@alice"}), "/mention"),
            (json!({"channel": "#d", "mention": "<!here>"}), "/mention"),
            (json!({"channel": "#d", "mention": "U1>"}), "/mention"),
            (
                json!({"channel": "#d", "updateInPlace": "yes"}),
                "/updateInPlace",
            ),
            (json!({"channel": "#d", "token": "x"}), "/token"),
        ];
        for (settings, place) in cases {
            let found = issues(&settings);
            assert_eq!(found.len(), 1, "{settings}: {found:?}");
            assert_eq!(found[0].pointer, place, "{settings}: {found:?}");
        }
    }

    #[test]
    fn a_mention_is_written_as_slack_reads_it() {
        let written = |text: &str| Mention::parse(text).unwrap().as_str().to_string();
        assert_eq!(written("@here"), "<!here>");
        assert_eq!(written("U024BE7LH"), "<@U024BE7LH>");
        assert_eq!(written("S0614TZR7"), "<!subteam^S0614TZR7>");
    }
}
