//! What the registry says of an image, with the caller's own credentials.

use sluice_core::explain::Question;
use sluice_core::image::facts::{REVISION, SOURCE};
use sluice_core::policy::Policy;
use sluice_core::port::Registry as _;

use crate::args::PolicyExplainArgs;
use crate::artifacts;
use crate::exit::Exit;
use crate::failure::Failure;

/// Resolves the tag, and reads annotations and signatures by the digest.
pub(super) async fn look(
    args: &PolicyExplainArgs,
    policy: &Policy,
    namespace: &str,
    repository: &str,
    question: &mut Question,
) -> Result<String, Failure> {
    let registry = artifacts::client(args.registry_config.as_deref())?;
    let failed = |what: String| {
        move |fault: sluice_core::port::RegistryFault| {
            Failure::new("registry", what)
                .at(repository.to_owned())
                .because(fault.to_string())
                .change("leave --read-image out to go on without it")
        }
    };
    let digest = match (&question.digest, &question.tag) {
        (Some(digest), _) => digest.clone(),
        (None, Some(tag)) => registry
            .resolve(repository, tag)
            .await
            .map_err(failed(format!("the tag {tag} cannot be resolved")))?,
        (None, None) => {
            return Err(Failure::new("usage", "--read-image needs a version")
                .change("add --tag or --digest")
                .exit(Exit::Usage));
        }
    };
    let rules = policy
        .environment(&question.environment, namespace)
        .into_result();
    let mut keys = vec![REVISION.to_owned(), SOURCE.to_owned()];
    if let Ok(rules) = rules {
        keys.extend(rules.images.annotations.keys().cloned());
    }
    let mut facts = registry
        .describe(repository, &digest, &keys)
        .await
        .map_err(failed("the image cannot be read".to_owned()))?;
    facts.signatures = registry
        .verify(repository, &digest, &policy.signers)
        .await
        .map_err(failed("the signatures cannot be checked".to_owned()))?;
    question.digest = Some(digest);
    question.about = Some(facts);
    Ok("digest, annotations and signatures from the registry".to_owned())
}
