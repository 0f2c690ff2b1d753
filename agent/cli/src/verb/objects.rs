//! Reading objects, with an answer to "which are there" when one is not.

use std::fmt::Debug;

use kube::api::{Api, ListParams};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use sluice_cluster::crd::{Approval, Pipeline, Rollout};
use sluice_core::approval::Vote;
use sluice_core::pipeline::EnvironmentSpec;
use sluice_core::problem::nearest;

use crate::access::Access;
use crate::exit::Exit;
use crate::failure::Failure;

/// Objects of one page.
const PAGE: u32 = 500;
/// Pages that are read: 10,000 objects are more than anyone reads.
const PAGES: usize = 20;
/// Names that an error repeats.
const NAMES_SHOWN: usize = 10;

/// Every kind of Sluice.
pub(crate) trait Kind:
    Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + serde::Serialize
    + Send
    + 'static
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + serde::Serialize
        + Send
        + 'static
{
}

pub(crate) fn api<K: Kind>(access: &Access) -> Api<K> {
    Api::namespaced(access.client.clone(), &access.namespace)
}

/// The object of that name, if it is there.
pub(crate) async fn find<K: Kind>(access: &Access, name: &str) -> Result<Option<K>, Failure> {
    let what = format!("{} {name}", K::kind(&()));
    api::<K>(access)
        .get_opt(name)
        .await
        .map_err(|e| access.fault("read", &what, e))
}

/// The object of that name, or an error that names those that are there.
pub(crate) async fn get<K: Kind>(access: &Access, name: &str) -> Result<K, Failure> {
    match find(access, name).await? {
        Some(object) => Ok(object),
        None => Err(missing::<K>(access, name).await),
    }
}

/// There is no such object.
pub(crate) async fn missing<K: Kind>(access: &Access, name: &str) -> Failure {
    let kind = K::kind(&()).into_owned();
    let failure = Failure::new("not-found", format!("there is no {kind} {name}"))
        .exit(Exit::NotDone)
        .at(access.place());
    // A help for typing errors: where it cannot be had, the error stands without it.
    let known: Vec<String> = match list::<K>(access, false).await {
        Ok((objects, _)) => objects.iter().map(ResourceExt::name_any).collect(),
        Err(_) => return failure,
    };
    failure
        .because(among(&kind, name, &known))
        .change("-n chooses another namespace")
}

/// Which names are known instead.
fn among(kind: &str, name: &str, known: &[String]) -> String {
    if let Some(near) = nearest(name, known.iter().map(String::as_str)) {
        return format!("did you mean {near}?");
    }
    match known.len() {
        0 => format!("there is no {kind} at all in this namespace"),
        n => {
            let shown: Vec<&str> = known.iter().take(NAMES_SHOWN).map(String::as_str).collect();
            let more = if n > NAMES_SHOWN { ", …" } else { "" };
            format!("there are: {}{more}", shown.join(", "))
        }
    }
}

/// All objects, oldest first, and whether some were left out.
pub(crate) async fn list<K: Kind>(access: &Access, all: bool) -> Result<(Vec<K>, bool), Failure> {
    let api: Api<K> = if all {
        Api::all(access.client.clone())
    } else {
        self::api(access)
    };
    let mut out: Vec<K> = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    for _ in 0..PAGES {
        let page = api
            .list(&params)
            .await
            .map_err(|e| access.fault("list", &K::plural(&()), e))?;
        out.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => {
                sort(&mut out);
                return Ok((out, false));
            }
        }
    }
    sort(&mut out);
    Ok((out, true))
}

fn sort<K: Kind>(objects: &mut [K]) {
    objects.sort_by_key(|o| (o.namespace(), o.creation_timestamp(), o.name_any()));
}

/// The environment of that name, or an error that names those that are there.
pub(crate) fn environment<'p>(
    access: &Access,
    pipeline: &'p Pipeline,
    name: &str,
) -> Result<&'p EnvironmentSpec, Failure> {
    let spec = &pipeline.spec.body;
    spec.environment(name).ok_or_else(|| {
        let known: Vec<String> = spec.environments.iter().map(|e| e.name.clone()).collect();
        let what = format!("Pipeline {} has no environment {name}", pipeline.name_any());
        Failure::new("not-found", what)
            .exit(Exit::NotDone)
            .at(access.place())
            .because(among("one", name, &known))
    })
}

/// The votes on a Rollout, oldest first, as `core` counts them.
pub(crate) async fn votes(access: &Access, rollout: &Rollout) -> Result<Vec<Vote>, Failure> {
    let uid = rollout.uid().unwrap_or_default();
    let (approvals, _) = list::<Approval>(access, false).await?;
    Ok(approvals
        .iter()
        .filter(|a| a.spec.rollout_uid == uid)
        .map(Approval::vote)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_gets_the_near_name_and_else_the_list() {
        let known = ["storefront-production-ab".to_owned(), "other".to_owned()];
        assert_eq!(
            among("Rollout", "storefornt-production-ab", &known),
            "did you mean storefront-production-ab?"
        );
        assert_eq!(
            among("Rollout", "x", &known),
            "there are: storefront-production-ab, other"
        );
        assert_eq!(
            among("Rollout", "x", &[]),
            "there is no Rollout at all in this namespace"
        );
        let many: Vec<String> = (0..30).map(|n| format!("rollout-number-{n}")).collect();
        assert!(among("Rollout", "y", &many).ends_with("rollout-number-9, …"));
    }
}
