//! What can be seen of the workloads that go in lockstep with the target.

use kube::Client;
use sluice_cluster::observe::{autoscaler, deployment, revision_template};
use sluice_core::pipeline::MemberSpec;
use sluice_core::rollout::{Journal, ObjectKind, RolloutView, Seen, State, canary_name};
use sluice_core::workload::MemberSeen;

/// Each member, in the order of the Pipeline; of what only matters at times, only what matters now.
pub(super) async fn members(
    client: &Client,
    view: &RolloutView,
    journal: &Journal,
) -> Vec<MemberSeen> {
    let with = &view.spec.target.with;
    let reads = with.iter().map(|m| member(client, view, journal, m));
    futures::future::join_all(reads).await
}

async fn member(
    client: &Client,
    view: &RolloutView,
    journal: &Journal,
    member: &MemberSpec,
) -> MemberSeen {
    let namespace = view.spec.target.namespace.as_str();
    let name = member.deployment.as_str();
    let begun = journal.state.begun();
    let canary = canary_name(name, &view.uid);
    let stable = journal
        .members
        .iter()
        .map(|m| &m.stable)
        .find(|r| r.deployment == name)
        .filter(|_| matches!(journal.state, State::RollingBack(_)));
    let back = view.spec.returns_to.as_ref();
    let back = back.and_then(|r| r.members.iter().find(|m| m.deployment == name));
    let template = async |revision: Option<&str>| match revision {
        Some(revision) => revision_template(client, namespace, revision).await,
        None => Seen::Absent,
    };
    let (target, canary, stable_template, return_template, autoscaler) = futures::join!(
        deployment(client, namespace, name),
        async {
            if begun {
                deployment(client, namespace, &canary).await
            } else {
                Seen::Absent
            }
        },
        template(stable.map(|r| r.name.as_str())),
        template(back.map(|r| r.name.as_str())),
        async {
            if begun {
                Seen::Absent
            } else {
                autoscaler(client, ObjectKind::Deployment, namespace, name).await
            }
        },
    );
    MemberSeen {
        target,
        canary,
        stable_template,
        return_template,
        autoscaler,
    }
}
