//! Whether somebody may do something. The policy decides, through core's one function (reliability.md
//! I2); Kubernetes' RBAC says who may write votes and wishes at all, here as through kubectl (I3).

use axum::http::StatusCode;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::PostParams;
use sluice_core::authorize::{Action, authorize, authorize_global};
use sluice_core::policy::{Identity, IdentityProvider, Policy};
use sluice_core::rollout::RolloutSpec;

use crate::app::App;
use crate::problem::Problem;
use crate::write;

/// What the policy says, in its own words where it says no.
pub(crate) fn by_policy(
    policy: &Policy,
    who: &Identity,
    action: Action,
    spec: &RolloutSpec,
) -> Result<(), String> {
    by_policy_in(policy, who, action, place(spec))
}

/// The same for an environment and the namespace of its target.
pub(crate) fn by_policy_in(
    policy: &Policy,
    who: &Identity,
    action: Action,
    (environment, target): (&str, &str),
) -> Result<(), String> {
    let rules = policy
        .environment(environment, target)
        .into_result()
        .map_err(|closed| closed.to_string())?;
    authorize(action, who, rules, policy).map_err(|denied| denied.to_string())
}

fn place(spec: &RolloutSpec) -> (&str, &str) {
    (&spec.environment, &spec.target.namespace)
}

/// A no of the policy.
pub(crate) fn refused(why: String) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "not-allowed",
        why,
        "somebody who may can do it; the policy file says who that is",
    )
}

/// Policy and RBAC together: asked before every write.
pub(crate) async fn permit(
    app: &App,
    who: &Identity,
    action: Action,
    namespace: &str,
    spec: &RolloutSpec,
) -> Result<(), Problem> {
    permit_in(app, who, action, namespace, place(spec)).await
}

/// The same for an environment and the namespace of its target.
pub(crate) async fn permit_in(
    app: &App,
    who: &Identity,
    action: Action,
    namespace: &str,
    place: (&str, &str),
) -> Result<(), Problem> {
    let policy = app.policy();
    by_policy_in(&policy, who, action, place).map_err(refused)?;
    by_rbac(app, &policy, who, action, namespace).await
}

/// The same for what is about everything.
pub(crate) async fn permit_global(
    app: &App,
    who: &Identity,
    action: Action,
    namespace: &str,
) -> Result<(), Problem> {
    let policy = app.policy();
    authorize_global(action, who, &policy).map_err(|denied| refused(denied.to_string()))?;
    by_rbac(app, &policy, who, action, namespace).await
}

/// Whose rights Kubernetes is asked about: their own, or those of the account that the policy says is
/// theirs. Somebody who has none is in the hands of the policy's roles alone, and must be listed
/// there: else everybody whom an identity provider knows could stop a rollout.
fn account(policy: &Policy, who: &Identity) -> Result<Option<(String, Vec<String>)>, Problem> {
    if who.provider == IdentityProvider::Kubernetes {
        return Ok(Some((who.username.clone(), who.groups.clone())));
    }
    if who.provider == IdentityProvider::Plugin {
        return Ok(None);
    }
    match policy.entry(who) {
        // Groups are told by a token only. What everybody has, they have.
        Some(person) => Ok(person
            .kubernetes
            .clone()
            .map(|name| (name, vec!["system:authenticated".to_owned()]))),
        None => Err(Problem::forbidden(
            "not-listed",
            &format!("the policy does not list {} among its people", who.username),
            "an administrator adds a line to the policy's `people`; to read, being signed in is enough",
        )),
    }
}

async fn by_rbac(
    app: &App,
    policy: &Policy,
    who: &Identity,
    action: Action,
    namespace: &str,
) -> Result<(), Problem> {
    let Some((user, groups)) = account(policy, who)? else {
        return Ok(());
    };
    let resource = object_of(action);
    let what = format!("say whether {user} may create {resource}");
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(user.clone()),
            groups: Some(groups),
            resource_attributes: Some(ResourceAttributes {
                group: Some("sluice.dev".into()),
                resource: Some(resource.into()),
                verb: Some("create".into()),
                namespace: Some(namespace.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let api: Api<SubjectAccessReview> = Api::all(app.client.clone());
    let answer = write::call(
        &app.calls,
        &what,
        api.create(&PostParams::default(), &review),
    )
    .await?
    .map_err(|e| write::problem(&what, &e))?;
    if answer
        .status
        .is_some_and(|s| s.allowed && s.denied != Some(true))
    {
        return Ok(());
    }
    Err(Problem::forbidden(
        "not-allowed-by-rbac",
        &format!("{user} may not create {resource} in the namespace {namespace}"),
        "an administrator of the cluster can allow it with a Role for sluice.dev",
    ))
}

/// The resource that an action writes.
pub(crate) fn object_of(action: Action) -> &'static str {
    match action {
        Action::Approve | Action::Reject => "approvals",
        Action::Deploy
        | Action::Abort
        | Action::Pause
        | Action::Resume
        | Action::Promote
        | Action::Rollback
        | Action::Retry
        | Action::LiftQuarantine
        | Action::SkipCanary
        | Action::BreakGlass
        | Action::Stop
        | Action::Start
        | Action::Drill => "requests",
    }
}
