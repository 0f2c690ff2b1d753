//! The cluster under the tests: a bed of our own, or one that `KUBECONFIG` names. The same doors for
//! both: files with credentials, clients, and the programs that people use.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use sluice_cluster_bed::{Bed, Person};

/// A cluster, and where what is tested was built.
pub(crate) struct Cluster {
    pub(crate) bed: Option<Arc<Bed>>,
    admin: PathBuf,
    /// `host:port`, reachable by the tests, the agent and the nodes.
    pub(crate) registry: String,
    /// Whether the registry speaks plain HTTP.
    pub(crate) insecure: bool,
    /// The folder of the build.
    target: PathBuf,
    /// Files of this run.
    pub(crate) scratch: tempfile::TempDir,
}

/// What a program said.
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Cluster {
    /// The one that this process was started in.
    pub(crate) fn own(bed: Bed) -> anyhow::Result<Self> {
        let registry = bed
            .registry()
            .context("the cluster has no registry")?
            .to_owned();
        Self::new(bed.admin_kubeconfig(), registry, true, Some(bed))
    }

    /// The one that `KUBECONFIG` names. Its registry must be named too, because nodes pull from it.
    pub(crate) fn given() -> anyhow::Result<Self> {
        let admin = std::env::var_os("KUBECONFIG").context("KUBECONFIG")?;
        let registry = std::env::var("SLUICE_REGISTRY").context(
            "KUBECONFIG is set, so SLUICE_REGISTRY must name a registry (host:port) that takes pushes \
             from here and that the nodes can pull from; SLUICE_REGISTRY_INSECURE=1 for plain HTTP",
        )?;
        let insecure = std::env::var("SLUICE_REGISTRY_INSECURE").is_ok_and(|v| v == "1");
        Self::new(PathBuf::from(admin), registry, insecure, None)
    }

    fn new(
        admin: PathBuf,
        registry: String,
        insecure: bool,
        bed: Option<Bed>,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("where is this program?")?;
        let target = program
            .ancestors()
            .nth(2)
            .context("where was this program built?")?
            .to_owned();
        Ok(Self {
            bed: bed.map(Arc::new),
            admin,
            registry,
            insecure,
            target,
            scratch: tempfile::tempdir().context("no folder for temporary files")?,
        })
    }

    /// The program that people type.
    pub(crate) fn sluice(&self) -> PathBuf {
        self.target.join("release").join("sluice")
    }

    /// The archive that `make image` wrote.
    pub(crate) fn agent_image(&self) -> PathBuf {
        let file = format!("sluice-{}.oci.tar", env!("CARGO_PKG_VERSION"));
        self.target.join("image").join(file)
    }

    /// The sample service, as the pods run it.
    pub(crate) fn sample(&self) -> PathBuf {
        self.target.join("debug").join("sample")
    }

    /// A folder of the repository.
    pub(crate) fn repository(&self, folder: &str) -> PathBuf {
        let root = self.target.parent().unwrap_or(Path::new("."));
        root.join(folder)
    }

    /// A file with somebody's credentials. In a bed they are a client certificate; elsewhere whoever
    /// runs the cluster acts in their name, which the API server treats alike.
    pub(crate) fn kubeconfig(&self, person: Option<&str>) -> anyhow::Result<PathBuf> {
        let Some(name) = person else {
            return Ok(self.admin.clone());
        };
        if let Some(bed) = &self.bed {
            return Ok(bed.kubeconfig(&Person::new(name, &["people"]))?);
        }
        let path = self.scratch.path().join(format!("{name}.kubeconfig"));
        if !path.exists() {
            let text = std::fs::read_to_string(&self.admin).context("the kubeconfig")?;
            let mut config: Kubeconfig = Kubeconfig::from_yaml(&text)?;
            for user in &mut config.auth_infos {
                if let Some(info) = &mut user.auth_info {
                    info.impersonate = Some(name.to_owned());
                    info.impersonate_groups =
                        Some(vec!["people".into(), "system:authenticated".into()]);
                }
            }
            std::fs::write(&path, serde_json::to_vec(&config)?)?;
        }
        Ok(path)
    }

    /// Talks to the API server in somebody's name.
    pub(crate) async fn client(&self, person: Option<&str>) -> anyhow::Result<Client> {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig(person)?)?;
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
        Ok(Client::try_from(config)?)
    }

    /// Runs a program in somebody's name to its end.
    pub(crate) async fn run(
        &self,
        person: Option<&str>,
        program: &Path,
        arguments: &[&str],
        input: &str,
    ) -> anyhow::Result<Said> {
        use tokio::io::AsyncWriteExt as _;
        let mut command = tokio::process::Command::new(program);
        command
            .args(arguments)
            .env("KUBECONFIG", self.kubeconfig(person)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command
            .spawn()
            .with_context(|| format!("{} does not start", program.display()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read says why when it ends.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let output = child.wait_with_output().await?;
        Ok(Said {
            ok: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    fn tool(&self, name: &str) -> PathBuf {
        match &self.bed {
            Some(bed) => bed.tool(name),
            None => PathBuf::from(name),
        }
    }

    /// `kubectl`, which must succeed.
    pub(crate) async fn kubectl(
        &self,
        person: Option<&str>,
        arguments: &[&str],
    ) -> anyhow::Result<Said> {
        self.must("kubectl", person, arguments, "").await
    }

    /// `kubectl`, whatever comes of it.
    pub(crate) async fn try_kubectl(
        &self,
        person: Option<&str>,
        arguments: &[&str],
        input: &str,
    ) -> anyhow::Result<Said> {
        self.run(person, &self.tool("kubectl"), arguments, input)
            .await
    }

    /// `helm`, which must succeed.
    pub(crate) async fn helm(&self, arguments: &[&str]) -> anyhow::Result<Said> {
        self.must("helm", None, arguments, "").await
    }

    /// Creates or changes objects.
    pub(crate) async fn apply(&self, objects: &[Value]) -> anyhow::Result<Said> {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let arguments = ["apply", "--server-side", "-f", "-"];
        self.must("kubectl", None, &arguments, &list.to_string())
            .await
    }

    async fn must(
        &self,
        tool: &str,
        person: Option<&str>,
        arguments: &[&str],
        input: &str,
    ) -> anyhow::Result<Said> {
        let said = self.run(person, &self.tool(tool), arguments, input).await?;
        if !said.ok {
            let words: Vec<&str> = arguments.iter().take(5).copied().collect();
            bail!("{tool} {} …: {}", words.join(" "), said.err.trim());
        }
        Ok(said)
    }
}
