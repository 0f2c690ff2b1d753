//! Putting a question to a plugin, in the background, with the addresses as they are at that moment.

use std::sync::Arc;

use sluice_cluster::observe::{deployment, target_of};
use sluice_cluster::targets::{Candidate, names, targets};
use sluice_core::plugin::{PluginAnswer, PluginCall, PluginFault, Targets};
use sluice_core::rollout::{
    CallId, Fact, PluginQuestion, RolloutView, Seen, WorkloadSeen, canary_name,
};

use crate::context::Context;
use crate::queue::Key;

/// Bytes that the names of one version's pods may take: a metric provider makes a query of them.
const PODS_BYTES: usize = 16 * 1024;

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
                PluginQuestion::Measure {
                    plugin,
                    mut invocation,
                    from_unix_ms,
                    to_unix_ms,
                } => match pods(&context_, &view_).await {
                    Ok(pods) => {
                        invocation.attributes.extend(pods);
                        let call = PluginCall::EvaluateMetrics {
                            plugin,
                            invocation,
                            from_unix_ms,
                            to_unix_ms,
                        };
                        context_.ports.plugins.call(call).await
                    }
                    Err(message) => PluginAnswer::Failed(PluginFault {
                        code: "measure/no-pods".into(),
                        message,
                        retryable: true,
                    }),
                },
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

/// The attributes that name each version's ready pods, with commas between.
async fn pods(context: &Context, view: &RolloutView) -> Result<Vec<(String, String)>, String> {
    let (target, apart) = workloads(context, view).await?;
    let found = names(&context.client, &target, candidate(view, apart.as_ref()))
        .await
        .map_err(|fault| fault.to_string())?;
    Ok(vec![
        ("candidate-pods".into(), listed(&found.candidate)),
        ("stable-pods".into(), listed(&found.stable)),
    ])
}

/// As many names as find room; the others are sampled no worse for it.
fn listed(names: &[String]) -> String {
    let mut out = String::new();
    for name in names {
        if out.len() + 1 + name.len() > PODS_BYTES {
            break;
        }
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(name);
    }
    out
}

/// Where a check of the candidate can look.
async fn addresses(context: &Context, view: &RolloutView) -> Result<Targets, String> {
    let (target, apart) = workloads(context, view).await?;
    let service = &view.spec.target.service;
    targets(
        &context.client,
        &target,
        service,
        candidate(view, apart.as_ref()),
    )
    .await
    .map_err(|fault| fault.to_string())
}

/// The target, and the candidate's own workload where the target's selector does not find its pods.
async fn workloads(
    context: &Context,
    view: &RolloutView,
) -> Result<(WorkloadSeen, Option<WorkloadSeen>), String> {
    let spec = &view.spec;
    let target = match target_of(&context.client, &spec.target).await {
        Seen::Present(target) => target,
        Seen::Absent => {
            let target = &spec.target;
            return Err(format!("{} {target} does not exist", target.kind()));
        }
        Seen::Unknown(why) => return Err(why),
    };
    if !spec.strategy.router.isolates() {
        return Ok((target, None));
    }
    let name = canary_name(spec.target.name(), &view.uid);
    match deployment(&context.client, &spec.target.namespace, &name).await {
        Seen::Present(apart) => Ok((target, Some(apart))),
        Seen::Absent => Ok((target, None)),
        Seen::Unknown(why) => Err(why),
    }
}

fn candidate<'a>(view: &'a RolloutView, apart: Option<&'a WorkloadSeen>) -> Candidate<'a> {
    let spec = &view.spec;
    Candidate {
        rollout_uid: &view.uid,
        digest: (!spec.drill).then_some(spec.image.digest.as_str()),
        apart,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_find_no_room_are_left_out_whole() {
        assert_eq!(listed(&[]), "");
        assert_eq!(listed(&["a".into(), "b".into()]), "a,b");
        let many: Vec<String> = (0..1000).map(|n| format!("{n:0>63}")).collect();
        let text = listed(&many);
        assert!(text.len() <= PODS_BYTES && text.len() > PODS_BYTES - 64);
        assert!(text.split(',').all(|name| name.len() == 63));
    }
}
