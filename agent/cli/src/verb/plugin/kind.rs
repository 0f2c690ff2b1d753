//! The kinds of plugins, on the command line.

use clap::ValueEnum;
use sluice_core::plugin::PluginKind;

/// A kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Judges a version by talking to it.
    #[default]
    SmokeTest,
    /// Turns metrics into numbers for two versions.
    MetricProvider,
    /// Asks people outside the cluster for a decision.
    ApprovalProvider,
    /// Plans the steps of a rollout, and judges between them.
    TrafficStrategy,
    /// Tells people what happens.
    Notifier,
}

impl Kind {
    /// As in manifests.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::SmokeTest => "smoke-test",
            Kind::MetricProvider => "metric-provider",
            Kind::ApprovalProvider => "approval-provider",
            Kind::TrafficStrategy => "traffic-strategy",
            Kind::Notifier => "notifier",
        }
    }
}

impl From<PluginKind> for Kind {
    fn from(kind: PluginKind) -> Kind {
        match kind {
            PluginKind::SmokeTest => Kind::SmokeTest,
            PluginKind::MetricProvider => Kind::MetricProvider,
            PluginKind::ApprovalProvider => Kind::ApprovalProvider,
            PluginKind::TrafficStrategy => Kind::TrafficStrategy,
            PluginKind::Notifier => Kind::Notifier,
        }
    }
}
