//! Where a scenario plays.

use std::time::Duration;

use kube::Client;

/// Holds the role devops-lead.
pub const ALICE: &str = "alice@example.com";
/// Holds the role tech-lead.
pub const BOB: &str = "bob@example.com";
/// May vote as everybody may, and holds no role.
pub const CAROL: &str = "carol@example.com";

/// What can be released. v1.0.0 serves before each scenario begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// v1.0.0.
    Stable,
    /// v1.1.0.
    Good,
    /// v1.2.0: well in staging, not well under production's data.
    SickInProduction,
    /// v1.3.0: never ready.
    NeverReady,
}

impl Release {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Stable,
        Self::Good,
        Self::SickInProduction,
        Self::NeverReady,
    ];

    /// Its tag.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Stable => "v1.0.0",
            Self::Good => "v1.1.0",
            Self::SickInProduction => "v1.2.0",
            Self::NeverReady => "v1.3.0",
        }
    }
}

/// A cluster with an app in `staging` (3 pods) and in `shop`, the production (10 pods), its Pipeline
/// in `delivery`, an agent at work, and the stable release adopted.
pub trait Ground: Sync {
    /// Name of the app: of its Deployments, Services and Pipeline.
    fn app(&self) -> &str;

    /// Its image, without tag or digest.
    fn repository(&self) -> &str;

    /// Talks to the API server in this person's name; `None` is whoever runs the cluster.
    fn client(&self, person: Option<&str>) -> Client;

    /// Digest of a release.
    fn digest(&self, release: Release) -> String;

    /// Pushes the tag of a release.
    fn push(&self, release: Release) -> impl Future<Output = Result<(), String>> + Send;

    /// An autoscaler owns the production Deployment from now on, and wants so many pods.
    fn autoscale(&self, replicas: u32) -> impl Future<Output = Result<(), String>> + Send;

    /// How long to wait for something that must come.
    fn patience(&self) -> Duration;
}
