//! Who the caller is, in the API server's own words.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{Api, PostParams};
use sluice_core::policy::Identity;

use crate::access::Access;
use crate::failure::Failure;

/// Asks the API server whom it takes the caller for. A vote or wish in any other name is refused.
pub(crate) async fn whoami(access: &Access) -> Result<Identity, Failure> {
    let api: Api<SelfSubjectReview> = Api::all(access.client.clone());
    let review = api
        .create(&PostParams::default(), &SelfSubjectReview::default())
        .await
        .map_err(|e| access.fault("ask", "who you are (SelfSubjectReview)", e))?;
    let user = review.status.and_then(|s| s.user_info).unwrap_or_default();
    let identity = Identity::kubernetes(
        user.username.unwrap_or_default(),
        user.groups.unwrap_or_default(),
    );
    if identity.is_authenticated() {
        return Ok(identity);
    }
    Err(Failure::new(
        "not-authenticated",
        "the API server does not know who you are",
    )
    .at(access.place())
    .because("the kubeconfig's user sends no credentials that it accepts")
    .change("log in to the cluster, or choose another user with --context"))
}
