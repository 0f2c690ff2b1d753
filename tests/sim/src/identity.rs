//! Who asks: users, their groups and tokens, and what RBAC would refuse them.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::resource::Resource;

/// A named identity, as authentication would find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The Kubernetes username, such as `alice@example.com`.
    pub name: String,
    /// The groups, `system:authenticated` among them.
    pub groups: Vec<String>,
}

impl User {
    pub(crate) fn new(name: &str, groups: &[&str]) -> Self {
        let mut all: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        if let Some(account) = name.strip_prefix("system:serviceaccount:") {
            all.push("system:serviceaccounts".to_owned());
            if let Some((namespace, _)) = account.split_once(':') {
                all.push(format!("system:serviceaccounts:{namespace}"));
            }
        }
        all.push("system:authenticated".to_owned());
        Self {
            name: name.to_owned(),
            groups: all,
        }
    }
}

/// What a token proves.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) user: String,
    /// The audiences it was minted for; empty is good for any.
    pub(crate) audiences: BTreeSet<String>,
}

/// A refusal by RBAC. Empty fields match everything; a user that nothing refuses may do all.
#[derive(Clone, Debug, Default)]
pub struct Denial {
    /// Username.
    pub user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: String,
    /// API group, such as `sluice.dev`.
    pub group: String,
    /// Plural resource name, `rollouts` or `rollouts/status`.
    pub resource: String,
    /// Namespace.
    pub namespace: String,
}

/// One question to RBAC.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access<'a> {
    pub(crate) user: &'a str,
    pub(crate) verb: &'a str,
    pub(crate) group: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) namespace: &'a str,
}

/// All identities of a cluster.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    users: BTreeMap<String, User>,
    tokens: BTreeMap<String, Token>,
    denials: Vec<Denial>,
}

impl Identities {
    pub(crate) fn add(&mut self, user: User) {
        self.users.insert(user.name.clone(), user);
    }

    /// A user by name; one that was never added has no groups of its own.
    pub(crate) fn user(&self, name: &str) -> User {
        self.users
            .get(name)
            .cloned()
            .unwrap_or_else(|| User::new(name, &[]))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.users.keys().cloned().collect()
    }

    pub(crate) fn add_token(&mut self, secret: String, token: Token) {
        self.tokens.insert(secret, token);
    }

    pub(crate) fn token(&self, secret: &str) -> Option<&Token> {
        self.tokens.get(secret)
    }

    /// The token of a user that is good for any audience: what a kubeconfig holds.
    pub(crate) fn token_of(&self, user: &str) -> Option<&str> {
        self.tokens
            .iter()
            .find(|(_, token)| token.user == user && token.audiences.is_empty())
            .map(|(secret, _)| secret.as_str())
    }

    pub(crate) fn deny(&mut self, denial: Denial) {
        self.denials.push(denial);
    }

    pub(crate) fn allows(&self, access: &Access<'_>) -> bool {
        let full = if access.subresource.is_empty() {
            access.resource.to_owned()
        } else {
            format!("{}/{}", access.resource, access.subresource)
        };
        let hits = |rule: &str, value: &str| rule.is_empty() || rule == value;
        !self.denials.iter().any(|denial| {
            hits(&denial.user, access.user)
                && hits(&denial.verb, access.verb)
                && hits(&denial.group, access.group)
                && hits(&denial.resource, &full)
                && hits(&denial.namespace, access.namespace)
        })
    }
}

impl Access<'_> {
    /// The message of a refusal, as the real server words it.
    pub(crate) fn refusal(&self, resource: Resource) -> String {
        let scope = if self.namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace \"{}\"", self.namespace)
        };
        format!(
            "User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {scope}",
            self.user,
            self.verb,
            self.resource,
            resource.info().group
        )
    }
}
