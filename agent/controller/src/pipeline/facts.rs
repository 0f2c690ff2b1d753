//! What an image says of itself and who signed it, read before it is let in (requirement C3). The digest
//! is known by then: what is read here is about that digest, whatever its tag names meanwhile.
//!
//! Kept in memory, so that each digest is read once. Lost at a restart: then it is read once more.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sluice_core::image::facts::{AUTHORS, ImageFacts, PROOFS, REVISION, SOURCE};
use sluice_core::pipeline::EnvironmentSpec;
use sluice_core::policy::{EnvironmentPolicy, EnvironmentVerdict, Policy, Signer};
use sluice_core::port::RegistryFault;
use sluice_core::rollout::CandidateImage;
use tokio::time::Instant;

use super::Held;
use crate::backoff;
use crate::context::Context;

/// Answers that are kept. The candidates of a thousand pipelines; the oldest falls out.
const KEPT: usize = 1024;
/// A signature may come after the push: an unsigned image is looked at again so often.
const UNSIGNED_FOR: Duration = Duration::from_secs(60);
/// Well-known annotations that people are shown, beside revision and source.
const ALSO_SHOWN: [&str; 2] = [
    "org.opencontainers.image.version",
    "org.opencontainers.image.ref.name",
];

/// One question to a registry. Another definition of a signer is another question.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    repository: String,
    digest: String,
    keys: Vec<String>,
    signers: Vec<(String, String)>,
}

/// What came of it last.
#[derive(Clone)]
struct Known {
    facts: Option<ImageFacts>,
    /// Why not, and how often in a row.
    fault: Option<(String, u32)>,
    at: Instant,
    /// When it is asked again. None: never.
    again: Option<Instant>,
}

/// The answers of registries about images.
#[derive(Default)]
pub(crate) struct Facts {
    known: Mutex<HashMap<Question, Known>>,
}

impl Facts {
    fn lock(&self) -> MutexGuard<'_, HashMap<Question, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, question: &Question) -> Option<Known> {
        self.lock().get(question).cloned()
    }

    fn set(&self, question: Question, known: Known) {
        let mut all = self.lock();
        if all.len() >= KEPT && !all.contains_key(&question) {
            let oldest = all.iter().min_by_key(|(_, k)| k.at).map(|(q, _)| q.clone());
            if let Some(oldest) = oldest {
                all.remove(&oldest);
            }
        }
        all.insert(question, known);
    }
}

/// What is known about an image. Where the policy needs it and it cannot be read: held, with the
/// reason. Where it does not: nothing is known.
pub(super) async fn about(
    context: &Context,
    policy: &Policy,
    environment: &EnvironmentSpec,
    image: &CandidateImage,
) -> Result<ImageFacts, Held> {
    let EnvironmentVerdict::Open(rules) =
        policy.environment(&environment.name, &environment.target.namespace)
    else {
        return Ok(ImageFacts::default());
    };
    let signers = signers(policy, rules);
    let question = Question {
        repository: image.repository.clone(),
        digest: image.digest.clone(),
        keys: keys(rules),
        signers: signers
            .iter()
            .map(|(name, signer)| (name.clone(), signer.definition()))
            .collect(),
    };
    let before = context.facts.get(&question);
    let known = match before {
        Some(known) if known.again.is_none_or(|t| t > Instant::now()) => known,
        before => {
            let known = ask(context, &question, &signers, before).await;
            context.facts.set(question, known.clone());
            known
        }
    };
    match (known.facts, known.fault) {
        (Some(facts), None) => Ok(facts),
        (_, Some((why, _))) if needed(rules) => Err(Held {
            why: format!(
                "what the policy asks of the image {} cannot be told: {why}",
                image.tag.as_deref().unwrap_or(&image.digest)
            ),
            look_again: known
                .again
                .map(|t| t.saturating_duration_since(Instant::now())),
        }),
        (facts, _) => Ok(facts.unwrap_or_default()),
    }
}

/// Whether a decision of the policy can rest on it. A rule of its own may look at anything.
fn needed(rules: &EnvironmentPolicy) -> bool {
    let images = &rules.images;
    !(images.annotations.is_empty() && images.signed_by.is_empty() && rules.rules.is_empty())
}

fn keys(rules: &EnvironmentPolicy) -> Vec<String> {
    let shown = [REVISION, SOURCE, AUTHORS].into_iter().chain(ALSO_SHOWN);
    let mut keys: Vec<String> = rules.images.annotations.keys().cloned().collect();
    keys.extend(shown.map(str::to_owned));
    keys.sort();
    keys.dedup();
    keys
}

fn signers(policy: &Policy, rules: &EnvironmentPolicy) -> BTreeMap<String, Signer> {
    let named = rules.images.signed_by.iter();
    named
        .filter_map(|name| policy.signers.get_key_value(name))
        .map(|(name, signer)| (name.clone(), signer.clone()))
        .collect()
}

async fn ask(
    context: &Context,
    question: &Question,
    signers: &BTreeMap<String, Signer>,
    before: Option<Known>,
) -> Known {
    let failures = before
        .as_ref()
        .and_then(|known| known.fault.as_ref())
        .map_or(0, |(_, failures)| *failures);
    let described = before.and_then(|known| known.facts);
    let now = Instant::now;
    match read(context, question, signers, described.clone()).await {
        Ok(facts) => Known {
            again: (!signers.is_empty() && facts.signatures.is_empty())
                .then(|| now() + UNSIGNED_FOR),
            facts: Some(facts),
            fault: None,
            at: now(),
        },
        Err((facts, fault)) => {
            let failures = failures.saturating_add(1);
            let wait = match &fault {
                RegistryFault::RateLimited {
                    retry_after_seconds,
                    ..
                } => Duration::from_secs(u64::from(*retry_after_seconds)),
                RegistryFault::NotFound(_)
                | RegistryFault::Denied(_)
                | RegistryFault::Unavailable(_) => backoff::wait(failures.saturating_add(2)),
            };
            tracing::warn!(
                repository = question.repository,
                digest = question.digest,
                %fault,
                "what an image says of itself cannot be read; tries again"
            );
            Known {
                facts,
                fault: Some((fault.to_string(), failures)),
                at: now(),
                again: Some(now() + wait),
            }
        }
    }
}

/// Reads what is not known yet. What was read before a fault is kept.
async fn read(
    context: &Context,
    question: &Question,
    signers: &BTreeMap<String, Signer>,
    described: Option<ImageFacts>,
) -> Result<ImageFacts, (Option<ImageFacts>, RegistryFault)> {
    let registry = &context.ports.registry;
    let (repository, digest) = (&question.repository, &question.digest);
    let mut facts = match described {
        Some(facts) => facts,
        None => registry
            .describe(repository, digest, &question.keys)
            .await
            .map_err(|fault| (None, fault))?,
    };
    facts.signatures = Vec::new();
    if !signers.is_empty() {
        let proofs = registry.verify(repository, digest, signers).await;
        facts.signatures = proofs.map_err(|fault| (Some(facts.clone()), fault))?;
        facts.signatures.truncate(PROOFS);
    }
    Ok(facts)
}
