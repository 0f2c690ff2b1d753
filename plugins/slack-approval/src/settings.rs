//! Where to ask, and whom to call.

use serde::Deserialize;
use sluice_sdk::Issue;
use sluice_sdk::slack::{Mention, channel_issue};

/// The plugin's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// `#approvals`, or a channel's id such as `C024BE91L`. Private channels by id only.
    pub channel: String,
    /// Whom to call when a request opens: `@here`, `@channel`, a person's id (`U024BE7LH`) or a
    /// user group's (`S0614TZR7`).
    #[serde(default)]
    pub mention: Option<Mention>,
    /// Whether Slack is asked about whoever pressed a button, so that guests and bots are refused
    /// even where the callback does not tell. Needs the scope `users:read`.
    #[serde(default = "yes")]
    pub look_up_user: bool,
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
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_checked_before_they_are_used() {
        let places = |settings: serde_json::Value| -> Vec<String> {
            let issues = sluice_sdk::settings::check::<Settings>(&settings.to_string(), validate);
            issues.into_iter().map(|issue| issue.pointer).collect()
        };
        assert!(places(json!({"channel": "#approvals", "mention": "@here"})).is_empty());
        assert!(places(json!({"channel": "C024BE91L", "lookUpUser": false})).is_empty());
        assert_eq!(places(json!({})), [""]);
        assert_eq!(places(json!({"channel": "two words"})), ["/channel"]);
        assert_eq!(
            places(json!({"channel": "#a", "mention": "bob"})),
            ["/mention"]
        );
        assert_eq!(places(json!({"channel": "#a", "token": "x"})), ["/token"]);
    }
}
