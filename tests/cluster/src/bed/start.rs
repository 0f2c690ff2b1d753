//! The order in which a cluster comes up, and what is waited for.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::containers::ctr;
use super::life::Life;
use super::{Bed, output};
use crate::authority::Authority;
use crate::error::BedError;
use crate::need;
use crate::options::{Level, Options};
use crate::site::{Description, Site};
use crate::{address, control_plane, fake_nodes, leftovers, node, oci, programs};

/// How long each thing may take, on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(120);
/// How often it is looked at. A look is a process.
const LOOKS: Duration = Duration::from_millis(150);

pub(super) async fn start(options: Options) -> Result<Bed, BedError> {
    let missing = need::missing(options.level, programs::are_built(options.gateway));
    if !missing.is_empty() {
        return Err(BedError::Missing(missing));
    }
    let programs = programs::build(options.gateway, options.say)?;
    leftovers::sweep()?;

    let began = Instant::now();
    let site = Site::create(options.level, options.gateway, programs)?;
    let mut life = Life::new(site.clone());
    let authority = Authority::create(&site.keys())?;
    let door = life.open()?;
    let description = Description {
        site: site.clone(),
        door,
    };
    description.write()?;

    let plane = site.program("control-plane");
    life.run("etcd", &plane, &control_plane::etcd(&site))?;
    let arguments = control_plane::api_server(&site, &authority)?;
    life.run("kube-apiserver", &plane, &arguments)?;
    if options.level == Level::Node {
        life.run(
            "containerd",
            &found("containerd")?,
            &node::containerd(&site)?,
        )?;
        let registry = found("docker-registry")?;
        life.run("docker-registry", &registry, &node::registry(&site)?)?;
    }

    let mut bed = Bed::assemble(description, authority)?;
    bed.life = Some(life);
    let mut told = Told { began, options };
    let keep = told.options.keep_logs;
    let come_up = come_up(&mut bed, &mut told).await;
    if keep || come_up.is_err() {
        bed.keep_logs();
    }
    come_up.map(|()| bed)
}

/// Waits for one thing after the other, and starts what needs it.
async fn come_up(bed: &mut Bed, told: &mut Told) -> Result<(), BedError> {
    if told.options.level == Level::Node {
        containerd_answers(bed, told).await?;
    }
    bed.comes_about("API server", told, async |bed| {
        let request = ["get", "--raw=/readyz", "--request-timeout=2s"];
        bed.kubectl(&request).await.map(drop)
    })
    .await?;

    start_clients(bed, &told.options)?;
    bed.comes_about("controllers", told, async |bed| {
        let request = ["get", "serviceaccount", "default", "--output=name"];
        bed.kubectl(&request).await.map(drop)
    })
    .await?;
    if told.options.fake_nodes > 0 {
        let count = told.options.fake_nodes;
        bed.apply(&fake_nodes::objects(count, told.options.level))
            .await?;
        for name in fake_nodes::names(count) {
            let what = format!("fake node {name}");
            bed.node_is_ready(&what, &name, told).await?;
        }
    }
    if told.options.level == Level::Node {
        bed.node_is_ready("node", node::NAME, told).await?;
        let service = format!("{}/443", address::kubernetes_service());
        bed.connects("Services", &service, told).await?;
        let registry = format!("{}/{}", address::node(), address::REGISTRY_PORT);
        bed.connects("registry", &registry, told).await?;
    }
    bed.gateway_comes_up(told).await
}

/// Whom to tell, and since when.
pub(super) struct Told {
    began: Instant,
    options: Options,
}

/// The parts that talk to the API server.
fn start_clients(bed: &mut Bed, options: &Options) -> Result<(), BedError> {
    let site = &bed.description.site;
    let Some(life) = &mut bed.life else {
        return Ok(());
    };
    let (plane, node) = (site.program("control-plane"), site.program("node"));
    let arguments = control_plane::controller_manager(site, &bed.authority)?;
    life.run("kube-controller-manager", &plane, &arguments)?;
    let arguments = control_plane::scheduler(site, &bed.authority)?;
    life.run("kube-scheduler", &plane, &arguments)?;
    if options.level == Level::Node {
        life.run("kubelet", &node, &node::kubelet(site, &bed.authority)?)?;
        life.run("kube-proxy", &node, &node::proxy(site, &bed.authority)?)?;
    }
    if options.fake_nodes > 0 {
        let arguments = fake_nodes::kwok(site, &bed.authority)?;
        life.run("kwok", &site.program("kwok"), &arguments)?;
    }
    Ok(())
}

/// Waits for containerd, and gives it the image without which no pod starts.
async fn containerd_answers(bed: &mut Bed, told: &mut Told) -> Result<(), BedError> {
    bed.comes_about("containerd", told, async |bed| {
        let mut command = ctr(&bed.description.door)?;
        command.arg("version");
        output(command, "").await.map(drop)
    })
    .await?;
    let path = bed.tool("pause");
    let program = fs::read(&path).map_err(BedError::file("read", &path))?;
    let archive = bed.state().join("pause.tar");
    fs::write(&archive, oci::archive(node::PAUSE, "pause", &program))
        .map_err(BedError::file("write", &archive))?;
    bed.import_image(&archive).await
}

fn found(program: &str) -> Result<std::path::PathBuf, BedError> {
    need::program(program).ok_or_else(|| BedError::Absent(format!("there is no program {program}")))
}

impl Bed {
    async fn node_is_ready(
        &mut self,
        what: &str,
        name: &str,
        told: &mut Told,
    ) -> Result<(), BedError> {
        let condition = "jsonpath={.status.conditions[?(@.type==\"Ready\")]}";
        self.comes_about(what, told, async |bed| {
            let seen = bed
                .kubectl(&["get", "node", name, "--output", condition])
                .await?;
            if seen.contains("\"status\":\"True\"") {
                Ok(())
            } else {
                Err(BedError::Absent(format!("the node says {seen}")))
            }
        })
        .await
    }

    /// Waits until somebody listens at `ADDRESS/PORT`, seen from inside.
    async fn connects(&mut self, what: &str, at: &str, told: &mut Told) -> Result<(), BedError> {
        self.comes_about(what, told, async |bed| {
            let mut command = bed.command(Path::new("timeout"));
            command.args(["2", "bash", "-c", &format!("exec 3<>/dev/tcp/{at}")]);
            output(command, "").await.map(drop)
        })
        .await
    }

    /// Waits until a look succeeds. Ends early where a part has ended.
    pub(super) async fn comes_about(
        &mut self,
        what: &str,
        told: &mut Told,
        look: impl AsyncFn(&Self) -> Result<(), BedError>,
    ) -> Result<(), BedError> {
        let until = Instant::now() + LIMIT;
        loop {
            self.check()?;
            let Err(seen) = look(self).await else {
                let after = told.began.elapsed();
                (told.options.say)(&format!("{:>6.1} s  {what}", after.as_secs_f64()));
                self.timings.push((what.to_owned(), after));
                return Ok(());
            };
            if Instant::now() > until {
                return Err(BedError::TooLate {
                    what: what.to_owned(),
                    seconds: LIMIT.as_secs(),
                    last: seen.to_string(),
                    logs: self.logs().to_owned(),
                });
            }
            tokio::time::sleep(LOOKS).await;
        }
    }
}
