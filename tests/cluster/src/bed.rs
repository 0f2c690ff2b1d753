//! A running cluster: its owner's handle, and that of a process that was let in.

mod containers;
mod gateway;
mod life;
mod start;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use self::life::Life;
use crate::audit::{self, AuditEvent};
use crate::authority::Authority;
use crate::desk::Desk;
use crate::error::{self, BedError};
use crate::options::Options;
use crate::site::Description;
use crate::{Person, need};

/// The variable that tells a process inside which cluster it is in: the path of its state.
const VARIABLE: &str = "SLUICE_BED";

/// A cluster. The owner's ends it when it is dropped, at once and without an error; [`Bed::stop`]
/// ends it and says what went wrong.
pub struct Bed {
    description: Description,
    authority: Authority,
    admin: PathBuf,
    registry: Option<String>,
    /// Absent for a process that was let in: the cluster is not its own to end.
    life: Option<Life>,
    timings: Vec<(String, Duration)>,
}

impl Bed {
    /// Builds what is missing, starts a cluster and returns when it is of use.
    pub async fn start(options: Options) -> Result<Self, BedError> {
        start::start(options).await
    }

    /// The cluster that this process was started in, by [`Bed::command`] or `cluster run`.
    pub fn inherited() -> Result<Option<Self>, BedError> {
        env::var_os(VARIABLE)
            .map(|state| Self::open(Path::new(&state)))
            .transpose()
    }

    /// The cluster with this state folder, which another process owns.
    pub fn open(state: &Path) -> Result<Self, BedError> {
        let description = Description::read(state)?;
        let authority = Authority::load(&description.site.keys())?;
        Self::assemble(description, authority)
    }

    fn assemble(description: Description, authority: Authority) -> Result<Self, BedError> {
        let site = &description.site;
        Ok(Self {
            admin: authority.kubeconfig(&Person::admin(), &site.api_server())?,
            registry: site.registry(),
            description,
            authority,
            life: None,
            timings: Vec::new(),
        })
    }

    /// The file with which a person reaches the API server, from inside.
    pub fn kubeconfig(&self, person: &Person) -> Result<PathBuf, BedError> {
        self.authority
            .kubeconfig(person, &self.description.site.api_server())
    }

    /// The file of who may do everything.
    pub fn admin_kubeconfig(&self) -> PathBuf {
        self.admin.clone()
    }

    /// The registry as `host:port`, over plain HTTP: for pods, for the node, and for whoever is inside.
    pub fn registry(&self) -> Option<&str> {
        self.registry.as_deref()
    }

    /// The address of the API server, from inside.
    pub fn api_server(&self) -> String {
        self.description.site.api_server()
    }

    /// The network namespace, as a file for `nsenter --net=`.
    pub fn netns(&self) -> PathBuf {
        self.description.door.network()
    }

    /// The folder with all state: it goes away at the end.
    pub fn state(&self) -> &Path {
        &self.description.site.state
    }

    /// The folder with a log for each part.
    pub fn logs(&self) -> &Path {
        &self.description.site.logs
    }

    /// A program that was built: `kubectl`, `helm`, `kubeconform`.
    pub fn tool(&self, name: &str) -> PathBuf {
        self.description.site.program(name)
    }

    /// What took how long, counted from the beginning.
    pub fn timings(&self) -> &[(String, Duration)] {
        &self.timings
    }

    /// A command that runs in the cluster's network, as the admin, with the tools in its PATH; in it
    /// [`Bed::inherited`] is this cluster. Files and processes are the machine's.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = self.description.door.in_network(program.as_ref());
        let tools = &self.description.site.programs;
        command
            .env("PATH", format!("{}:{}", tools.display(), need::path()))
            .env("KUBECONFIG", &self.admin)
            .env("KUBECACHEDIR", self.state().join("kubectl"))
            .env("SLUICE_REGISTRY", self.registry().unwrap_or_default())
            .env(VARIABLE, self.state());
        command
    }

    /// This very program with these arguments, inside: how a test's binary gets to where pods, Services
    /// and the API server answer.
    pub fn own_program(&self, arguments: &[&str]) -> Result<Command, BedError> {
        let program = env::current_exe().map_err(BedError::file("find", "this program"))?;
        let mut command = self.command(program);
        command.args(arguments);
        Ok(command)
    }

    /// Starts a cluster, runs this very program with these arguments inside it, and ends it. In there
    /// [`Bed::inherited`] is the cluster. Logs stay where the program fails.
    pub async fn around(options: Options, arguments: &[&str]) -> Result<ExitStatus, BedError> {
        let mut bed = Self::start(options).await?;
        let status = tokio::process::Command::from(bed.own_program(arguments)?)
            .kill_on_drop(true)
            .status()
            .await
            .map_err(BedError::start("this program"));
        if !matches!(&status, Ok(status) if status.success()) {
            bed.keep_logs();
            crate::options::to_stderr(&format!("the cluster's logs: {}", bed.logs().display()));
        }
        bed.stop().await?;
        status
    }

    /// A place beside the node for programs that mind the node's network. A cluster has room for one.
    pub fn desk(&self) -> Result<Desk, BedError> {
        Desk::create(&self.description.door)
    }

    /// What `kubectl` says to the admin.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String, BedError> {
        let mut command = self.command(self.tool("kubectl"));
        command.args(arguments);
        output(command, "").await
    }

    /// Creates or changes an object, or a `List` of them, as the admin.
    pub async fn apply(&self, object: &Value) -> Result<(), BedError> {
        let mut command = self.command(self.tool("kubectl"));
        command.args(["apply", "--server-side", "-f", "-"]);
        output(command, &object.to_string()).await.map(drop)
    }

    /// Every request to the API server so far, oldest first.
    pub fn audit(
        &self,
    ) -> Result<impl Iterator<Item = Result<AuditEvent, BedError>> + use<>, BedError> {
        audit::events(&self.description.site.audit_log())
    }

    /// Lets the logs stay when the cluster ends.
    pub fn keep_logs(&mut self) {
        if let Some(life) = &mut self.life {
            life.keep_logs = true;
        }
    }

    /// An error where a part has ended, or where somebody else has ended the cluster.
    pub fn check(&mut self) -> Result<(), BedError> {
        self.life.as_mut().map_or(Ok(()), Life::check)
    }

    /// Ends every process and removes every trace, except logs that are to stay.
    pub async fn stop(mut self) -> Result<(), BedError> {
        let Some(mut life) = self.life.take() else {
            return Ok(());
        };
        // It waits for the kernel.
        match tokio::task::spawn_blocking(move || life.end()).await {
            Ok(ended) => ended,
            Err(error) => Err(BedError::Absent(format!(
                "ending the cluster broke off: {error}; `cluster down --all` cleans up"
            ))),
        }
    }
}

/// Runs a command to its end; an error holds the end of what it said.
pub(crate) async fn output(command: Command, input: &str) -> Result<String, BedError> {
    let words: Vec<String> = command
        .get_args()
        .map(|word| word.to_string_lossy().into_owned())
        .skip_while(|word| word != "--")
        .skip(1)
        .collect();
    let what = words.join(" ");
    let mut child = tokio::process::Command::from(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(BedError::start(&what))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read what it is given says why when it ends.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = child
        .wait_with_output()
        .await
        .map_err(BedError::start(&what))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(BedError::Failed {
        what,
        code: output.status.to_string(),
        output: error::tail(&String::from_utf8_lossy(&said)),
    })
}
