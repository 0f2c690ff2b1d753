//! Putting a question to a plugin, in the background, with the addresses as they are at that moment.

use std::sync::Arc;

use sluice_cluster::observe::target_of;
use sluice_cluster::targets::targets;
use sluice_core::plugin::{PluginAnswer, PluginCall, PluginFault, Targets};
use sluice_core::rollout::{CallId, Fact, PluginQuestion, RolloutView, Seen};

use crate::context::Context;
use crate::queue::Key;

pub(super) fn ask(
    context: &Arc<Context>,
    key: &Key,
    view: &RolloutView,
    call: &CallId,
    question: &PluginQuestion,
) {
    let (context_, view_, call_, question) = (
        context.clone(),
        view.clone(),
        call.clone(),
        question.clone(),
    );
    context
        .calls
        .start(&view.uid, &call.0, &context.queue, key, async move {
            let answer = match question {
                PluginQuestion::Plan { plugin, invocation } => {
                    context_
                        .ports
                        .plugins
                        .call(PluginCall::Plan { plugin, invocation })
                        .await
                }
                PluginQuestion::Judge {
                    plugin,
                    invocation,
                    step,
                    observations,
                } => {
                    let call = PluginCall::Judge {
                        plugin,
                        invocation,
                        step,
                        observations,
                    };
                    context_.ports.plugins.call(call).await
                }
                PluginQuestion::Check {
                    plugin,
                    mut invocation,
                } => match addresses(&context_, &view_).await {
                    Ok(targets) => {
                        invocation.targets = targets;
                        let call = PluginCall::RunSmokeTest { plugin, invocation };
                        context_.ports.plugins.call(call).await
                    }
                    Err(message) => PluginAnswer::Failed(PluginFault {
                        code: "check/no-addresses".into(),
                        message,
                        retryable: true,
                    }),
                },
            };
            Fact::Answered {
                call: call_,
                answer,
            }
        });
}

async fn addresses(context: &Context, view: &RolloutView) -> Result<Targets, String> {
    let spec = &view.spec;
    match target_of(&context.client, &spec.target).await {
        Seen::Present(target) => targets(
            &context.client,
            &target,
            &spec.target.service,
            &spec.image.digest,
        )
        .await
        .map_err(|fault| fault.to_string()),
        Seen::Absent => Err(format!("Deployment {} does not exist", spec.target)),
        Seen::Unknown(why) => Err(why),
    }
}
