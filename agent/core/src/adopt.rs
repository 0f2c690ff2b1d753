//! The baseline: what serves healthily when a Pipeline first sees its target is what a rollback goes
//! back to (reliability.md W6).

use jiff::Timestamp;

use crate::image::{Digest, ImageRef, Repository};
use crate::pipeline::{ImageSpec, Revision, TargetSpec};
use crate::rollout::{WorkloadSeen, revision_name};
use crate::template::{images, release_containers, template_hash};
use crate::workload::MemberRevision;
use crate::workload::config::copies;

/// What a container of a ready pod runs, as the kubelet reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The container's name.
    pub container: String,
    /// Its `imageID`. The digest in it counts and not the name before it: the same image under two
    /// names is reported under the one that the node knew first.
    pub image_id: String,
}

impl Running {
    fn digest(&self) -> Option<String> {
        let (_, digest) = self.image_id.rsplit_once('@')?;
        digest.parse::<Digest>().ok().map(|d| d.to_string())
    }
}

/// The revision that the target serves now, or why it cannot be adopted.
///
/// `running` holds the containers of each ready pod: what runs is read from the cluster, never
/// assumed from the registry (R7).
pub fn adopt(
    target: &WorkloadSeen,
    running: &[Vec<Running>],
    spec: &TargetSpec,
    image: &ImageSpec,
    now: Timestamp,
) -> Result<Revision, String> {
    if target.replicas == 0 {
        return Err(format!("{spec} is scaled to zero: nothing serves"));
    }
    if !target.settled() {
        // Without counts: they change with every pod, and each change would be a write.
        return Err(format!(
            "{spec} is not healthy yet: not all of its pods are available"
        ));
    }
    let containers = release_containers(
        target.template(),
        spec.container.as_deref(),
        &image.repository,
    );
    if containers.is_empty() {
        return Err(format!(
            "no container of {spec} uses {}; its images are {}",
            image.repository,
            images(target.template()).join(", ")
        ));
    }
    let digest = running_digest(target, running, &containers, &image.repository)?;
    let hash = template_hash(target.template());
    Ok(Revision {
        digest,
        tag: template_tag(target, &image.repository),
        name: revision_name(&target.name, &target.uid, &hash),
        template_hash: hash,
        target_uid: target.uid.clone(),
        since: now,
        promoted_by: None,
        copies: copies(target.template()),
        members: Vec::new(),
    })
}

/// The revision of a workload that goes in lockstep with a target which runs `digest`, or why it
/// cannot be adopted. One that is scaled to zero is taken where its template says what it would run.
pub fn adopt_member(
    member: &WorkloadSeen,
    running: &[Vec<Running>],
    spec: &TargetSpec,
    image: &ImageSpec,
    digest: &str,
) -> Result<MemberRevision, String> {
    let found = if member.replicas == 0 {
        pinned_digest(member, &image.repository).ok_or_else(|| {
            format!("{spec} is scaled to zero, and its template names no digest that it would run")
        })?
    } else {
        adopt(member, running, spec, image, Timestamp::UNIX_EPOCH)?.digest
    };
    if found != digest {
        return Err(format!(
            "{spec} runs {found}, and the workload that it goes in lockstep with {digest}: bring both \
             to one version first"
        ));
    }
    let hash = template_hash(member.template());
    Ok(MemberRevision {
        deployment: member.name.clone(),
        uid: member.uid.clone(),
        name: revision_name(&member.name, &member.uid, &hash),
        template_hash: hash,
    })
}

fn pinned_digest(workload: &WorkloadSeen, repository: &str) -> Option<String> {
    images(workload.template())
        .iter()
        .find_map(|i| same_repository(i, repository)?.digest)
        .map(|d| d.to_string())
}

fn same_repository(image: &str, repository: &str) -> Option<ImageRef> {
    let wanted: Repository = repository.parse().ok()?;
    let image: ImageRef = image.parse().ok()?;
    (image.repository == wanted).then_some(image)
}

fn template_tag(target: &WorkloadSeen, repository: &str) -> Option<String> {
    images(target.template())
        .iter()
        .find_map(|i| same_repository(i, repository)?.tag)
}

fn running_digest(
    target: &WorkloadSeen,
    running: &[Vec<Running>],
    containers: &[String],
    repository: &str,
) -> Result<String, String> {
    if let Some(digest) = pinned_digest(target, repository) {
        return Ok(digest);
    }
    let mut found: Vec<String> = running
        .iter()
        .flatten()
        .filter(|r| containers.contains(&r.container))
        .filter_map(Running::digest)
        .collect();
    found.sort();
    found.dedup();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(format!("no pod reports the digest of {repository} yet")),
        more => Err(format!(
            "the pods run {} different digests of one tag",
            more.len()
        )),
    }
}

#[cfg(test)]
mod tests;
