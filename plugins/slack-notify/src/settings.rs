//! Where to post, and whom to call.

use serde::Deserialize;
use sluice_sdk::Issue;
use sluice_sdk::slack::{Mention, channel_issue};

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

/// What serde cannot see: that the channel can be one.
#[must_use]
pub fn validate(settings: &Settings) -> Vec<Issue> {
    channel_issue("/channel", &settings.channel)
        .into_iter()
        .collect()
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
