//! People and roles: who somebody is, and what they may decide.
//!
//! A person is what the policy lists, never a display name, an unverified e-mail address or a name
//! in a request body (reliability.md I1). Rights go by exact spelling. Whether two identities are
//! the same person, however, ignores case: a second spelling of one address must never count as a
//! second person (attack 11).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Policy;
use crate::image::facts::AUTHORS;
use crate::rollout::RolloutSpec;

/// Who vouches for a name.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum IdentityProvider {
    /// The API server: the name is its user name.
    #[default]
    Kubernetes,
    /// An OpenID Connect issuer: the name is `<issuer>#<subject>`.
    Oidc,
    /// Slack, by a signed callback: the name is the user ID.
    Slack,
    /// A machine that calls a hook: the name is its key in the policy's `callers`.
    Caller,
    /// Nobody but a plugin: the name is the plugin's.
    Plugin,
}

impl IdentityProvider {
    /// Whether this is the usual one, which files leave out.
    pub fn is_kubernetes(&self) -> bool {
        *self == Self::Kubernetes
    }

    /// As written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Oidc => "oidc",
            Self::Slack => "slack",
            Self::Caller => "caller",
            Self::Plugin => "plugin",
        }
    }
}

/// Who a request comes from, as its provider says.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Who vouches for the name.
    #[serde(default, skip_serializing_if = "IdentityProvider::is_kubernetes")]
    pub provider: IdentityProvider,
    /// The name there.
    pub username: String,
    /// The groups at that moment. Pinned in a vote: Kubernetes cannot look them up later
    /// (reliability.md A8).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

impl Identity {
    /// Somebody whom the API server knows.
    pub fn kubernetes(username: impl Into<String>, groups: Vec<String>) -> Self {
        Self {
            provider: IdentityProvider::Kubernetes,
            username: username.into(),
            groups,
        }
    }

    /// Somebody whom another provider knows, without groups.
    pub fn of(provider: IdentityProvider, username: impl Into<String>) -> Self {
        Self {
            provider,
            username: username.into(),
            groups: Vec::new(),
        }
    }

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
    /// The name in the policy's `people`, or `<provider>:<username>` for somebody not listed.
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
    /// Names by which images call this person their author. Whoever wrote it does not approve it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<String>,
}

/// Who holds a role: people and groups, or a plugin that asks somebody outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Role {
    /// Names from `people`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<String>,
    /// Kubernetes groups, spelled exactly as the API server reports them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// An approval-provider plugin whose word fills this role. Nobody else holds it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
}

impl PersonEntry {
    /// Their name at a provider.
    pub fn known_as(&self, provider: IdentityProvider) -> Option<&str> {
        match provider {
            IdentityProvider::Kubernetes => self.kubernetes.as_deref(),
            IdentityProvider::Oidc => self.oidc.as_deref(),
            IdentityProvider::Slack => self.slack.as_deref(),
            IdentityProvider::Caller | IdentityProvider::Plugin => None,
        }
    }
}

impl PersonEntry {
    /// Whether an image that names its authors so names this person. Names stand between spaces,
    /// commas, semicolons or brackets; case is ignored.
    fn is_author(&self, text: &str) -> bool {
        let apart = |c: char| c.is_whitespace() || ",;<>()".contains(c);
        text.split(apart)
            .filter(|name| !name.is_empty())
            .any(|name| {
                let mut known = self.authors.iter();
                known.any(|author| author.to_lowercase() == name.to_lowercase())
            })
    }

    /// This person, as one of their providers knows them.
    fn identity(&self) -> Option<Identity> {
        [
            IdentityProvider::Kubernetes,
            IdentityProvider::Oidc,
            IdentityProvider::Slack,
        ]
        .into_iter()
        .find_map(|provider| Some(Identity::of(provider, self.known_as(provider)?)))
    }
}

impl Policy {
    /// Everybody behind a release, none of whom may approve it: who asked for it, and whom the image
    /// names as its authors (reliability.md A9).
    pub fn behind(&self, spec: &RolloutSpec) -> Vec<Identity> {
        let mut out: Vec<Identity> = spec.cause.requester.iter().cloned().collect();
        if let Some(authors) = spec.image.about.annotations.get(AUTHORS) {
            let named = self
                .people
                .iter()
                .filter(|person| person.is_author(authors));
            out.extend(named.filter_map(PersonEntry::identity));
        }
        out
    }

    /// Who this is.
    pub fn person(&self, identity: &Identity) -> Person {
        let provider = identity.provider;
        let lower = identity.username.to_lowercase();
        let listed = self.people.iter().find(|person| {
            person
                .known_as(provider)
                .is_some_and(|known| known.to_lowercase() == lower)
        });
        let unlisted = || format!("{}:{}", provider.as_str(), identity.username);
        match listed {
            Some(person) if person.known_as(provider) == Some(&identity.username) => Person {
                name: person.name.clone(),
                key: person.name.to_lowercase(),
            },
            // Another spelling: no rights of the listed person, but no second person either.
            Some(person) => Person {
                name: unlisted(),
                key: person.name.to_lowercase(),
            },
            None => Person {
                name: unlisted(),
                key: format!("{}:{lower}", provider.as_str()),
            },
        }
    }

    /// The line of `people` that this identity is, by its exact spelling.
    pub fn entry(&self, identity: &Identity) -> Option<&PersonEntry> {
        self.people
            .iter()
            .find(|person| person.known_as(identity.provider) == Some(&identity.username))
    }

    /// Whether this identity holds a role: by its line in `people`, by one of its groups, or, for a
    /// role that is decided outside, because the named plugin vouches for it.
    ///
    /// A group alone does for Kubernetes only. A stranger from elsewhere could be a listed person
    /// under another name, and would count twice.
    pub fn holds(&self, identity: &Identity, role: &str) -> bool {
        let Some(role) = self.roles.get(role) else {
            return false;
        };
        if !identity.is_authenticated() {
            return false;
        }
        let entry = self.entry(identity);
        let by_group = || {
            role.groups
                .iter()
                .any(|group| identity.groups.contains(group))
        };
        match identity.provider {
            IdentityProvider::Caller => false,
            IdentityProvider::Plugin => role.via.as_ref() == Some(&identity.username),
            IdentityProvider::Kubernetes | IdentityProvider::Oidc | IdentityProvider::Slack => {
                entry.is_some_and(|person| role.people.contains(&person.name))
                    || ((identity.provider == IdentityProvider::Kubernetes || entry.is_some())
                        && by_group())
            }
        }
    }
}
