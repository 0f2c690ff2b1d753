//! Every question of the core's port, and which kind of plugin it goes to.

use sluice_core::plugin::{Invocation, PluginAnswer, PluginCall, PluginFault, PluginKind};

use super::{Host, bound, context, merged};
use crate::world::{Question, Reply, approval_provider, metric_provider};

impl Host {
    pub(super) async fn answer(&self, call: PluginCall) -> Result<PluginAnswer, PluginFault> {
        let reply = match call {
            PluginCall::RunSmokeTest { plugin, invocation } => {
                return self
                    .smoke_test(&plugin, invocation)
                    .await
                    .map(PluginAnswer::Report);
            }
            PluginCall::EvaluateMetrics {
                plugin,
                invocation,
                from_unix_ms,
                to_unix_ms,
            } => {
                let window = metric_provider::Window {
                    from_unix_ms,
                    to_unix_ms,
                };
                let question = Question::EvaluateMetrics(window);
                self.about_release(&plugin, PluginKind::MetricProvider, invocation, question)
                    .await?
            }
            PluginCall::Plan { plugin, invocation } => {
                self.about_release(
                    &plugin,
                    PluginKind::TrafficStrategy,
                    invocation,
                    Question::Plan,
                )
                .await?
            }
            PluginCall::Judge {
                plugin,
                invocation,
                step,
                observations,
            } => {
                let question = Question::Judge(step, observations);
                self.about_release(&plugin, PluginKind::TrafficStrategy, invocation, question)
                    .await?
            }
            PluginCall::Notify {
                plugin,
                invocation,
                event,
            } => {
                let question = Question::Notify(event);
                self.about_release(&plugin, PluginKind::Notifier, invocation, question)
                    .await?
            }
            PluginCall::AskApproval { plugin, invocation } => {
                self.about_approval(&plugin, invocation, approval_provider::Question::Ask)
                    .await?
            }
            PluginCall::PollApproval {
                plugin,
                invocation,
                ticket,
            } => {
                let question = approval_provider::Question::Poll(ticket);
                self.about_approval(&plugin, invocation, question).await?
            }
            PluginCall::WithdrawApproval {
                plugin,
                invocation,
                ticket,
            } => {
                let question = approval_provider::Question::Withdraw(ticket);
                self.about_approval(&plugin, invocation, question).await?
            }
            PluginCall::ApprovalCallback {
                plugin,
                invocation,
                ticket,
                headers,
                body,
            } => {
                let question = approval_provider::Question::Callback(ticket, headers, body);
                self.about_approval(&plugin, invocation, question).await?
            }
            PluginCall::ValidateSettings { plugin, settings } => {
                let serving = self.find(&plugin, None)?;
                let settings = merged(serving.settings.as_ref(), settings);
                self.validate(&serving, &settings).await?
            }
        };
        Ok(match reply {
            Reply::Report(report) => PluginAnswer::Report(report),
            Reply::Measurement(measurement) => PluginAnswer::Measurement(measurement),
            Reply::Plan(steps) => PluginAnswer::Plan(steps),
            Reply::Judgement(judgement) => PluginAnswer::Judgement(judgement),
            Reply::Notified(thread) => PluginAnswer::Notified(thread),
            Reply::Approval(approval_provider::Reply::Status(status)) => {
                PluginAnswer::Approval(status)
            }
            Reply::Approval(approval_provider::Reply::Withdrawn) => PluginAnswer::Withdrawn,
            Reply::Approval(approval_provider::Reply::Callback(status)) => {
                PluginAnswer::ApprovalCallback(status)
            }
            Reply::Settings(issues) => PluginAnswer::Settings(issues),
        })
    }

    async fn about_approval(
        &self,
        plugin: &str,
        invocation: Invocation,
        question: approval_provider::Question,
    ) -> Result<Reply, PluginFault> {
        let question = Question::Approval(question);
        self.about_release(plugin, PluginKind::ApprovalProvider, invocation, question)
            .await
    }

    async fn about_release(
        &self,
        plugin: &str,
        kind: PluginKind,
        invocation: Invocation,
        question: Question,
    ) -> Result<Reply, PluginFault> {
        let serving = self.find(plugin, Some(kind))?;
        // A metric provider may look at a pod's own metrics: the first of each version.
        let pod = invocation.targets.candidate.first().map(String::as_str);
        let bound = bound(kind, &invocation, pod);
        let context = context(&serving, invocation);
        self.ask(&serving, context, bound, question).await
    }
}
