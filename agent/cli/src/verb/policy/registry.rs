//! What the registry says of an image, with the caller's own credentials.

use std::path::PathBuf;
use std::sync::Arc;

use sluice_core::explain::Question;
use sluice_core::image::facts::{REVISION, SOURCE};
use sluice_core::policy::Policy;
use sluice_core::port::Registry as _;
use sluice_registry::{OciRegistry, RegistryConfig};

use crate::args::PolicyExplainArgs;
use crate::clock::WallClock;
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
    let registry = OciRegistry::new(config(args)?, Arc::new(WallClock)).map_err(|e| {
        Failure::new("registry-config", "the registry settings cannot be used")
            .because(e.to_string())
            .exit(Exit::Usage)
    })?;
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

fn config(args: &PolicyExplainArgs) -> Result<RegistryConfig, Failure> {
    let Some(path) = &args.registry_config else {
        return Ok(RegistryConfig {
            docker_config: docker().filter(|path| path.exists()),
            ..RegistryConfig::default()
        });
    };
    crate::verb::agent::registry(path)
}

/// Where `docker login` writes.
fn docker() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker"));
    Some(folder.or_else(home)?.join("config.json"))
}
