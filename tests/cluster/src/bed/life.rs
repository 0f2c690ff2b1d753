//! What the owner of a cluster has to end.

use std::fs;
use std::path::Path;

use crate::Level;
use crate::cgroup;
use crate::error::BedError;
use crate::namespaces::{Door, Namespaces};
use crate::part::Part;
use crate::site::Site;

/// Everything that runs or lies around for one cluster. Dropping it ends it.
pub(super) struct Life {
    site: Site,
    namespaces: Option<Namespaces>,
    parts: Vec<Part>,
    /// Whether the logs outlive it.
    pub(super) keep_logs: bool,
}

impl Life {
    /// Owns the folders from now on, and what is started later.
    pub(super) fn new(site: Site) -> Self {
        Self {
            site,
            namespaces: None,
            parts: Vec::new(),
            keep_logs: false,
        }
    }

    /// Puts the walls up.
    pub(super) fn open(&mut self) -> Result<Door, BedError> {
        let namespaces = Namespaces::create(&self.site.state)?;
        let door = namespaces.door().clone();
        self.namespaces = Some(namespaces);
        if self.site.level == Level::Node {
            cgroup::create(&self.site.id)?;
        }
        Ok(door)
    }

    /// Starts a part.
    pub(super) fn run(
        &mut self,
        name: &'static str,
        program: &Path,
        arguments: &[String],
    ) -> Result<(), BedError> {
        self.start(name, program, arguments, None)
    }

    /// Starts a part that finds the API server by the variable `KUBECONFIG` alone.
    pub(super) fn run_as(
        &mut self,
        name: &'static str,
        program: &Path,
        arguments: &[String],
        kubeconfig: &Path,
    ) -> Result<(), BedError> {
        self.start(name, program, arguments, Some(kubeconfig))
    }

    fn start(
        &mut self,
        name: &'static str,
        program: &Path,
        arguments: &[String],
        kubeconfig: Option<&Path>,
    ) -> Result<(), BedError> {
        let Some(namespaces) = &self.namespaces else {
            return Err(BedError::Absent(format!(
                "{name} cannot start before the namespaces of its cluster"
            )));
        };
        let part = Part::start(
            name,
            namespaces.door(),
            program,
            arguments,
            kubeconfig,
            &self.site.logs,
        )?;
        self.parts.push(part);
        Ok(())
    }

    /// An error where something has ended that should not have.
    pub(super) fn check(&mut self) -> Result<(), BedError> {
        if self.namespaces.as_mut().is_some_and(|n| !n.lives()) {
            return Err(BedError::Absent(format!(
                "the cluster {} was ended by somebody else (`cluster down --all`?)",
                self.site.id
            )));
        }
        self.parts.iter_mut().try_for_each(Part::check)
    }

    /// Ends it; a second time does nothing.
    pub(super) fn end(&mut self) -> Result<(), BedError> {
        let Some(mut namespaces) = self.namespaces.take() else {
            return self.remove_folders();
        };
        namespaces.end();
        self.parts.iter_mut().for_each(Part::wait);
        self.parts.clear();
        cgroup::remove(&self.site.id)?;
        self.remove_folders()
    }

    fn remove_folders(&self) -> Result<(), BedError> {
        let logs = (!self.keep_logs).then_some(&self.site.logs);
        for folder in std::iter::once(&self.site.state).chain(logs) {
            if folder.exists() {
                fs::remove_dir_all(folder).map_err(BedError::file("remove", folder))?;
            }
        }
        Ok(())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // A test that fails ends like this: its reader wants the logs.
        self.keep_logs |= std::thread::panicking();
        // Nobody is left to be told; the next start sweeps what could not be removed.
        let _ = self.end();
    }
}
