//! Whether somebody may do something. The policy decides, through core's one function (reliability.md
//! I2); Kubernetes' RBAC says who may write votes and wishes at all, here as through kubectl (I3).

use axum::http::StatusCode;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::PostParams;
use sluice_core::authorize::{Action, authorize};
use sluice_core::policy::{Identity, Policy};
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
    let rules = policy
        .environment(&spec.environment, &spec.target.namespace)
        .into_result()
        .map_err(|closed| closed.to_string())?;
    authorize(action, who, rules, policy).map_err(|denied| denied.to_string())
}

/// Policy and RBAC together: asked before every write.
pub(crate) async fn permit(
    app: &App,
    who: &Identity,
    action: Action,
    namespace: &str,
    spec: &RolloutSpec,
) -> Result<(), Problem> {
    by_policy(&app.policy(), who, action, spec).map_err(|why| {
        Problem::new(
            StatusCode::FORBIDDEN,
            "not-allowed",
            why,
            "somebody who may can do it; the policy file says who that is",
        )
    })?;
    let resource = object_of(action);
    let what = format!("say whether {} may create {resource}", who.username);
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(who.username.clone()),
            groups: Some(who.groups.clone()),
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
        &format!(
            "{} may not create {resource} in the namespace {namespace}",
            who.username
        ),
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
        | Action::LiftQuarantine => "requests",
    }
}
