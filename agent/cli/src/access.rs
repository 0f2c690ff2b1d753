//! The way to the cluster: the caller's own kubeconfig, and readable words for what goes wrong.

use std::error::Error as StdError;
use std::time::Duration;

use kube::config::{KubeConfigOptions, KubeconfigError};
use kube::core::Status;
use kube::{Client, Config};

use crate::args::ClusterArgs;
use crate::exit::Exit;
use crate::failure::Failure;

/// A server that does not even accept a connection in this time is not there.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest text of the API server that is repeated, in characters.
const WORDS: usize = 800;

/// A cluster, in the caller's name.
#[derive(Clone)]
pub struct Access {
    /// Sends requests.
    pub client: Client,
    /// The namespace that commands speak of.
    pub namespace: String,
    place: String,
}

impl Access {
    /// By the kubeconfig, as `kubectl` would: `KUBECONFIG`, else `~/.kube/config`; within a pod
    /// without either, its service account.
    ///
    /// # Errors
    /// There is no usable configuration.
    pub async fn open(args: &ClusterArgs) -> Result<Self, Failure> {
        let config = config(args).await?;
        let place = match &args.context {
            Some(context) => format!("{} (context {context})", config.cluster_url),
            None => config.cluster_url.to_string(),
        };
        let namespace = args
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|e| {
            Failure::new("kubeconfig", "the kubeconfig cannot be used")
                .at(&place)
                .because(deepest(&e))
                .change("check its certificates and keys")
        })?;
        Ok(Self {
            client,
            namespace,
            place,
        })
    }

    /// With a client that is there already: tests and the demo.
    pub fn new(client: Client, namespace: &str) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
            place: "the given cluster".into(),
        }
    }

    /// The cluster, for messages.
    pub(crate) fn place(&self) -> String {
        format!("{}, namespace {}", self.place, self.namespace)
    }

    /// Readable words for an error of the API server or of the way to it.
    pub(crate) fn fault(&self, verb: &str, object: &str, error: kube::Error) -> Failure {
        let what = format!("cannot {verb} {object}");
        let failure = match &error {
            kube::Error::Api(status) => answered(what, status),
            kube::Error::SerdeError(e) => Failure::new("unreadable", what)
                .because(format!(
                    "the answer is not of the shape that this version knows: {e}"
                ))
                .change("use a sluice command of the same version as the agent"),
            other => unreachable(what, other),
        };
        failure.at(self.place())
    }
}

/// The configuration of the client.
pub(crate) async fn config(args: &ClusterArgs) -> Result<Config, Failure> {
    let options = KubeConfigOptions {
        context: args.context.clone(),
        cluster: None,
        user: None,
    };
    let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    let mut config = match Config::from_kubeconfig(&options).await {
        Ok(config) => config,
        Err(_)
            if args.context.is_none() && !set("KUBECONFIG") && set("KUBERNETES_SERVICE_HOST") =>
        {
            Config::incluster().map_err(|e| {
                Failure::new("kubeconfig", "the pod's service account cannot be used")
                    .because(deepest(&e))
                    .change("mount a service account token, or set KUBECONFIG")
            })?
        }
        Err(error) => return Err(unconfigured(&error)),
    };
    config.connect_timeout = Some(CONNECT);
    Ok(config)
}

fn unconfigured(error: &KubeconfigError) -> Failure {
    let failure = Failure::new("kubeconfig", "no cluster to talk to").because(match error {
        KubeconfigError::CurrentContextNotSet => "no context is chosen".to_owned(),
        KubeconfigError::LoadContext(name) => format!("the kubeconfig has no context {name}"),
        KubeconfigError::FindPath => {
            "KUBECONFIG is not set and there is no home directory".to_owned()
        }
        KubeconfigError::ReadConfig(e, path) => format!("{} cannot be read: {e}", path.display()),
        other => other.to_string(),
    });
    failure.change("set KUBECONFIG or --context; `kubectl config get-contexts` lists the contexts")
}

fn answered(what: String, status: &Status) -> Failure {
    let words: String = status.message.chars().take(WORDS).collect();
    let by_admission = words.contains("ValidatingAdmissionPolicy") || words.contains("admission");
    let failure = match status.code {
        401 => Failure::new("not-authenticated", what)
            .change("your credentials are missing or out of date: log in to the cluster again"),
        403 if by_admission => Failure::new("refused", what)
            .change("the cluster's own rules do not allow this; the text above names the rule"),
        403 => Failure::new("forbidden", what).change(
            "ask whoever runs the cluster for the right named above (RBAC, group sluice.dev)",
        ),
        404 if status.details.as_ref().is_none_or(|d| d.name.is_empty()) => {
            Failure::new("not-installed", what).change(
                "the cluster does not know this kind; install Sluice's definitions with \
                 `sluice crds | kubectl apply -f -`",
            )
        }
        404 => Failure::new("not-found", what)
            .exit(Exit::NotDone)
            .change("`sluice get` shows what there is; -n chooses another namespace"),
        409 => Failure::new("conflict", what).change("somebody was faster: look again and retry"),
        400 | 422 => Failure::new("invalid", what).change("correct what the text above names"),
        429 => Failure::new("busy", what).change("the API server asks for patience: try again"),
        _ => Failure::new("server", what).change("the API server is in trouble: try again later"),
    };
    failure.because(if words.is_empty() {
        format!("HTTP {}", status.code)
    } else {
        words
    })
}

fn unreachable(what: String, error: &kube::Error) -> Failure {
    let why = deepest(error);
    let change = match io_kind(error) {
        Some(std::io::ErrorKind::ConnectionRefused) => {
            "nothing listens there: is the cluster up, and is this the right context?"
        }
        Some(std::io::ErrorKind::TimedOut) => "no answer: check VPN, proxy and firewall",
        Some(_) | None if why.contains("certificate") => {
            "the server's certificate is not the one of this kubeconfig: fetch a new kubeconfig"
        }
        Some(_) | None => "check the server's address, the network and the credentials helper",
    };
    Failure::new("unreachable", what)
        .because(why)
        .change(change)
}

/// The innermost cause: the outer ones repeat it in longer words.
pub(crate) fn deepest(error: &dyn StdError) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string().chars().take(WORDS).collect()
}

fn io_kind(error: &(dyn StdError + 'static)) -> Option<std::io::ErrorKind> {
    let mut cause = Some(error);
    let mut found = None;
    while let Some(e) = cause {
        if let Some(io) = e.downcast_ref::<std::io::Error>() {
            found = Some(io.kind());
        }
        cause = e.source();
    }
    found
}

#[cfg(test)]
mod tests {
    use kube::core::response::StatusDetails;

    use super::*;

    fn status(code: u16, message: &str, name: &str) -> Status {
        let details = StatusDetails {
            name: name.into(),
            group: "sluice.dev".into(),
            kind: "rollouts".into(),
            uid: String::new(),
            causes: Vec::new(),
            retry_after_seconds: 0,
        };
        Status {
            code,
            message: message.into(),
            details: Some(details),
            ..Status::default()
        }
    }

    #[test]
    fn answers_of_the_api_server_become_sentences_with_a_way_out() {
        let cases = [
            (401, "Unauthorized", "", "not-authenticated", "log in"),
            (
                403,
                "User \"bob\" cannot create resource \"requests\"",
                "x",
                "forbidden",
                "RBAC",
            ),
            (
                403,
                "ValidatingAdmissionPolicy 'a' denied request: b",
                "x",
                "refused",
                "own rules",
            ),
            (
                404,
                "the server could not find the requested resource",
                "",
                "not-installed",
                "crds",
            ),
            (
                404,
                "rollouts \"x\" not found",
                "x",
                "not-found",
                "sluice get",
            ),
            (422, "spec.tag: Invalid value", "x", "invalid", "correct"),
            (503, "", "", "server", "later"),
        ];
        for (code, message, name, expected, hint) in cases {
            let failure = answered("cannot do it".into(), &status(code, message, name));
            assert_eq!(failure.code, expected, "{code} {message}");
            assert!(failure.change.as_ref().unwrap().contains(hint), "{failure}");
            assert!(!failure.why[0].is_empty(), "{failure}");
        }
    }

    #[test]
    fn the_cause_that_says_most_is_shown() {
        let inner = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "refused");
        let failure = unreachable("cannot".into(), &kube::Error::Service(Box::new(inner)));
        assert_eq!(failure.why, ["refused"]);
        assert!(failure.change.unwrap().contains("is the cluster up"));
    }

    #[test]
    fn a_missing_configuration_says_how_to_give_one() {
        let failure = unconfigured(&KubeconfigError::LoadContext("prod".into()));
        insta::assert_snapshot!(failure, @r"
        error: no cluster to talk to
          why     the kubeconfig has no context prod
          change  set KUBECONFIG or --context; `kubectl config get-contexts` lists the contexts
        ");
    }
}
