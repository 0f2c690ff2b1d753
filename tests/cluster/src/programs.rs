//! The programs that are built from Go packages, and where they are kept: outside `target/`, so that
//! `cargo clean` spares what takes minutes to build.

pub(crate) mod definitions;
mod sources;

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::Gateway;
use crate::error::{self, BedError};
use crate::need;

/// One program: its name, the folder of its Go module, its package there.
struct Program(&'static str, &'static str, &'static str);

/// Programs that are built together, when any of their sources has changed.
struct Set {
    programs: &'static [Program],
    /// The folders of their Go modules, beside this crate's manifest.
    modules: &'static [&'static str],
    /// The file that says from which sources the programs beside it were built.
    stamp: &'static str,
    /// What is told before the first build.
    announcement: &'static str,
}

/// What every cluster is made of.
const CLUSTER: Set = Set {
    programs: &[
        Program("pause", "go", "./pause"),
        Program("control-plane", "go", "./control-plane"),
        Program("node", "go", "./node"),
        Program("kubectl", "go", "k8s.io/kubernetes/cmd/kubectl"),
        Program("helm", "go", "helm.sh/helm/v4/cmd/helm"),
        Program(
            "kubeconform",
            "go",
            "github.com/yannh/kubeconform/cmd/kubeconform",
        ),
        Program("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    ],
    modules: &["go", "kwok"],
    stamp: "built-from",
    announcement: "building Kubernetes from Go packages into {}: up to 15 minutes the first time",
};

/// What a cluster with a gateway has beside.
const GATEWAY: Set = Set {
    programs: &[Program(
        "traefik",
        "gateway",
        "github.com/traefik/traefik/v3/cmd/traefik",
    )],
    modules: &["gateway"],
    stamp: "gateway-built-from",
    announcement: "building the gateway from Go packages into {}: some 3 minutes the first time",
};

/// Where a client looks for the version of a Kubernetes program. Without it clients complain that it
/// cannot be parsed. The number is that of `go.mod`.
const VERSION_PACKAGES: [&str; 2] = [
    "k8s.io/component-base/version",
    "k8s.io/client-go/pkg/version",
];
const VERSION: (&str, &str, &str) = ("v1.36.3", "1", "36");

/// Where the programs are kept: `$SLUICE_CLUSTER_CACHE`, or the user's cache.
pub fn folder() -> Result<PathBuf, BedError> {
    let under = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    under("SLUICE_CLUSTER_CACHE")
        .or_else(|| under("XDG_CACHE_HOME").map(|cache| cache.join("sluice-cluster")))
        .or_else(|| under("HOME").map(|home| home.join(".cache/sluice-cluster")))
        .map(|cache| cache.join("bin"))
        .ok_or_else(|| {
            BedError::Absent(
                "none of SLUICE_CLUSTER_CACHE, XDG_CACHE_HOME and HOME is set: where shall the \
                 cluster's programs be kept?"
                    .into(),
            )
        })
}

/// Whether every program for such clusters is there and of these sources. Takes milliseconds.
pub fn are_built(gateway: Gateway) -> bool {
    let all = || -> Result<bool, BedError> {
        let folder = folder()?;
        for set in sets(gateway) {
            if !set.is_current(&folder, &set.sources()?) {
                return Ok(false);
            }
        }
        Ok(gateway < Gateway::Definitions || definitions::folder(&folder).is_dir())
    };
    all().unwrap_or(false)
}

/// Builds what is not up to date and returns the folder. Takes minutes the first time: `say` gets a
/// line for each program.
pub fn build(gateway: Gateway, say: fn(&str)) -> Result<PathBuf, BedError> {
    let folder = folder()?;
    if are_built(gateway) {
        return Ok(folder);
    }
    if need::program("go").is_none() {
        return Err(BedError::Missing(
            need::missing(crate::Level::ControlPlane, false)
                .into_iter()
                .filter(|one| one.what.starts_with("go "))
                .collect(),
        ));
    }
    fs::create_dir_all(&folder).map_err(BedError::file("make the folder", &folder))?;
    let lock_path = folder.join("lock");
    let lock = File::create(&lock_path).map_err(BedError::file("create", &lock_path))?;
    // Another process may be building the same.
    lock.lock().map_err(BedError::file("lock", &lock_path))?;
    for set in sets(gateway) {
        set.build(&folder, say)?;
    }
    if gateway >= Gateway::Definitions {
        definitions::copy(&folder)?;
    }
    Ok(folder)
}

fn sets(gateway: Gateway) -> impl Iterator<Item = &'static Set> {
    let with_gateway = match gateway {
        Gateway::None | Gateway::Definitions => None,
        Gateway::Traefik => Some(&GATEWAY),
    };
    std::iter::once(&CLUSTER).chain(with_gateway)
}

impl Set {
    /// The stamp of the sources as they are now.
    fn sources(&self) -> Result<String, BedError> {
        let packages: Vec<&str> = self.programs.iter().map(|program| program.2).collect();
        let settings = format!("{VERSION:?} {}", packages.join(" "));
        let modules: Vec<PathBuf> = self.modules.iter().map(|m| own_folder().join(m)).collect();
        sources::stamp(&settings, &modules)
    }

    fn is_current(&self, folder: &Path, sources: &str) -> bool {
        fs::read_to_string(folder.join(self.stamp)).is_ok_and(|built| built == sources)
            && self
                .programs
                .iter()
                .all(|program| folder.join(program.0).is_file())
    }

    fn build(&self, folder: &Path, say: fn(&str)) -> Result<(), BedError> {
        let sources = self.sources()?;
        if self.is_current(folder, &sources) {
            return Ok(());
        }
        say(&self
            .announcement
            .replace("{}", &folder.display().to_string()));
        let path = folder.join(self.stamp);
        let _ = fs::remove_file(&path);
        for (place, program) in self.programs.iter().enumerate() {
            let began = Instant::now();
            build_one(program, folder)?;
            say(&format!(
                "  {}/{} {}: {} s",
                place + 1,
                self.programs.len(),
                program.0,
                began.elapsed().as_secs()
            ));
        }
        fs::write(&path, sources).map_err(BedError::file("write", path))
    }
}

fn build_one(Program(name, module, package): &Program, folder: &Path) -> Result<(), BedError> {
    let (version, major, minor) = VERSION;
    let flags: String = VERSION_PACKAGES
        .iter()
        .map(|package| {
            format!(
                " -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"
            )
        })
        .collect();
    // Static, so that they run in an image of nothing else, and without a C compiler.
    let output = Command::new("go")
        .current_dir(own_folder().join(module))
        .env("PATH", need::path())
        .env("CGO_ENABLED", "0")
        .args(["build", "-trimpath", "-mod=readonly", "-ldflags"])
        .arg(format!("-s -w{flags}"))
        .arg("-o")
        .arg(folder.join(name))
        .arg(package)
        .output()
        .map_err(BedError::start("go"))?;
    if !output.status.success() {
        return Err(BedError::Failed {
            what: format!("building {name} (go build {package})"),
            code: output.status.to_string(),
            output: error::tail(&String::from_utf8_lossy(&output.stderr)),
        });
    }
    Ok(())
}

fn own_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_that_go_mod_names() {
        let text = fs::read_to_string(own_folder().join("go/go.mod")).unwrap();
        assert!(text.contains(&format!("k8s.io/kubernetes {}\n", VERSION.0)));
        let (_, major, minor) = VERSION;
        assert!(VERSION.0.starts_with(&format!("v{major}.{minor}.")));
    }

    #[test]
    fn a_set_is_current_only_when_it_is_whole_and_of_these_sources() {
        let folder = tempfile::tempdir().unwrap();
        for program in CLUSTER.programs {
            fs::write(folder.path().join(program.0), "").unwrap();
        }
        assert!(!CLUSTER.is_current(folder.path(), "a"));
        fs::write(folder.path().join(CLUSTER.stamp), "a").unwrap();
        assert!(CLUSTER.is_current(folder.path(), "a"));
        assert!(!CLUSTER.is_current(folder.path(), "b"));
        assert!(!GATEWAY.is_current(folder.path(), "a"));
        fs::remove_file(folder.path().join("kubectl")).unwrap();
        assert!(!CLUSTER.is_current(folder.path(), "a"));
    }

    #[test]
    fn the_gateway_is_built_only_where_it_is_wanted() {
        let count = |gateway| sets(gateway).count();
        let counts = [Gateway::None, Gateway::Definitions, Gateway::Traefik].map(count);
        assert_eq!(counts, [1, 1, 2]);
    }
}
