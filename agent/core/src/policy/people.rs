//! People and roles: who somebody is, and what they may decide.
//!
//! A person is what the policy lists, never a display name, an unverified e-mail address or a name
//! in a request body (reliability.md I1). Rights go by exact spelling. Whether two identities are
//! the same person, however, ignores case: a second spelling of one address must never count as a
//! second person (attack 11).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Policy;

/// Who the API server says a request comes from.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The Kubernetes user name.
    pub username: String,
    /// The groups at that moment. Pinned in a vote: Kubernetes cannot look them up later
    /// (reliability.md A8).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

impl Identity {
    /// Whether this is somebody at all.
    pub fn is_authenticated(&self) -> bool {
        !self.username.is_empty()
            && self.username != "system:anonymous"
            && !self
                .groups
                .iter()
                .any(|group| group == "system:unauthenticated")
    }
}

/// Somebody, as the policy knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name in the policy's `people`, or `kubernetes:<username>` for somebody not listed.
    pub name: String,
    /// The same for every identity of one human being.
    key: String,
}

impl Person {
    /// Whether both are the same human being, as far as the policy can tell.
    pub fn is(&self, other: &Self) -> bool {
        self.key == other.key
    }

    /// Equal for two persons that [`Person::is`] takes for the same.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// One line of `people`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PersonEntry {
    /// How roles call this person.
    pub name: String,
    /// Kubernetes user name, spelled exactly as the API server reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<String>,
    /// Issuer and subject of an OpenID Connect identity, joined by `#`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<String>,
    /// Slack user ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<String>,
}

/// Who holds a role. At least one of the two lists has an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Role {
    /// Names from `people`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<String>,
    /// Kubernetes groups, spelled exactly as the API server reports them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

impl Policy {
    /// Who this is.
    pub fn person(&self, identity: &Identity) -> Person {
        let lower = identity.username.to_lowercase();
        let listed = self.people.iter().find(|person| {
            person
                .kubernetes
                .as_ref()
                .is_some_and(|known| known.to_lowercase() == lower)
        });
        match listed {
            Some(person) if person.kubernetes.as_ref() == Some(&identity.username) => Person {
                name: person.name.clone(),
                key: person.name.to_lowercase(),
            },
            // Another spelling: no rights of the listed person, but no second person either.
            Some(person) => Person {
                name: format!("kubernetes:{}", identity.username),
                key: person.name.to_lowercase(),
            },
            None => Person {
                name: format!("kubernetes:{}", identity.username),
                key: format!("kubernetes:{lower}"),
            },
        }
    }

    /// Whether this identity holds a role, by its listed person or by one of its groups.
    pub fn holds(&self, identity: &Identity, role: &str) -> bool {
        let Some(role) = self.roles.get(role) else {
            return false;
        };
        if !identity.is_authenticated() {
            return false;
        }
        let by_name = self
            .people
            .iter()
            .filter(|person| person.kubernetes.as_ref() == Some(&identity.username))
            .any(|person| role.people.contains(&person.name));
        by_name
            || role
                .groups
                .iter()
                .any(|group| identity.groups.contains(group))
    }
}
