//! What a request's path and query ask for.

use std::collections::BTreeMap;

use url::form_urlencoded;

use crate::api::resource::Resource;

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `/version`.
    Version,
    /// `/healthz`, `/livez`, `/readyz`.
    Health,
    /// `/api`.
    CoreVersions,
    /// `/apis`.
    Groups,
    /// `/apis/<group>`.
    Group(String),
    /// `/api/v1` or `/apis/<group>/<version>`.
    Resources { group: String, version: String },
    /// A question that is asked by creating an object which is not stored.
    Review(Review),
    /// Objects.
    Objects(Place),
    /// Nothing that is served.
    Nothing,
}

/// The reviews that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Review {
    Token,
    SelfSubject,
    SubjectAccess,
    SelfSubjectAccess,
}

/// Objects of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) resource: Resource,
    /// Absent: the whole cluster.
    pub(crate) namespace: Option<String>,
    /// Absent: the collection.
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

/// Reads a path.
pub(crate) fn parse(path: &str) -> Target {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        ["version"] => Target::Version,
        ["healthz" | "livez" | "readyz", ..] => Target::Health,
        ["api"] => Target::CoreVersions,
        ["apis"] => Target::Groups,
        ["apis", group] => Target::Group((*group).to_owned()),
        ["api", version] => Target::Resources {
            group: String::new(),
            version: (*version).to_owned(),
        },
        ["apis", group, version] => Target::Resources {
            group: (*group).to_owned(),
            version: (*version).to_owned(),
        },
        ["apis", "authentication.k8s.io", "v1", "tokenreviews"] => Target::Review(Review::Token),
        ["apis", "authentication.k8s.io", "v1", "selfsubjectreviews"] => {
            Target::Review(Review::SelfSubject)
        }
        ["apis", "authorization.k8s.io", "v1", "subjectaccessreviews"] => {
            Target::Review(Review::SubjectAccess)
        }
        [
            "apis",
            "authorization.k8s.io",
            "v1",
            "selfsubjectaccessreviews",
        ] => Target::Review(Review::SelfSubjectAccess),
        ["api", version, rest @ ..] => place("", version, rest),
        ["apis", group, version, rest @ ..] => place(group, version, rest),
        _ => Target::Nothing,
    }
}

fn place(group: &str, version: &str, rest: &[&str]) -> Target {
    // `/namespaces/<name>` is the object itself; longer paths are what is in it.
    let (namespace, rest) = match rest {
        ["namespaces", namespace, inner @ ..]
            if !inner.is_empty() && !matches!(inner, ["status" | "finalize"]) =>
        {
            (Some((*namespace).to_owned()), inner)
        }
        _ => (None, rest),
    };
    let (plural, name, subresource) = match rest {
        [plural] => (plural, None, None),
        [plural, name] => (plural, Some((*name).to_owned()), None),
        [plural, name, sub] => (plural, Some((*name).to_owned()), Some((*sub).to_owned())),
        _ => return Target::Nothing,
    };
    match Resource::find(group, version, plural) {
        Some(resource) if resource.info().namespaced || namespace.is_none() => {
            Target::Objects(Place {
                resource,
                namespace,
                name,
                subresource,
            })
        }
        _ => Target::Nothing,
    }
}

/// The query of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        Self(
            form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        matches!(self.get(name), "true" | "1")
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Target, parse};
    use crate::api::resource::Resource;

    fn place(path: &str) -> (Resource, Option<String>, Option<String>, Option<String>) {
        match parse(path) {
            Target::Objects(Place {
                resource,
                namespace,
                name,
                subresource,
            }) => (resource, namespace, name, subresource),
            other => panic!("{path} is {other:?}"),
        }
    }

    #[test]
    fn paths_name_objects() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(place("/api/v1/pods"), (Resource::Pods, None, None, None));
        assert_eq!(
            place("/api/v1/namespaces"),
            (Resource::Namespaces, None, None, None)
        );
        assert_eq!(
            place("/api/v1/namespaces/a"),
            (Resource::Namespaces, None, some("a"), None)
        );
        assert_eq!(
            place("/api/v1/namespaces/a/pods/b"),
            (Resource::Pods, some("a"), some("b"), None)
        );
        assert_eq!(
            place("/apis/sluice.dev/v1alpha1/namespaces/a/rollouts/b/status"),
            (Resource::Rollouts, some("a"), some("b"), some("status"))
        );
        assert_eq!(parse("/apis/unknown/v1/things"), Target::Nothing);
        assert_eq!(parse("/apis/apps/v1beta1/deployments"), Target::Nothing);
    }
}
