//! Who has to agree, in words.

use crate::policy::{EnvironmentPolicy, Identity, Policy};

/// `alice, bob, or a member of devops-leads`.
pub(super) fn holders(policy: &Policy, role: &str) -> String {
    let Some(role) = policy.roles.get(role) else {
        return "nobody: the policy has no such role".to_owned();
    };
    if let Some(plugin) = &role.via {
        return format!("decided outside, through {plugin}");
    }
    let mut parts = role.people.clone();
    parts.extend(role.groups.iter().map(|g| format!("a member of {g}")));
    match parts.split_last() {
        None => "nobody".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// The terms of the approvals, one sentence each.
pub(super) fn terms(
    policy: &Policy,
    rules: &EnvironmentPolicy,
    requester: Option<&Identity>,
) -> Vec<String> {
    let approvals = &rules.approvals;
    let mut out: Vec<String> = approvals
        .require
        .iter()
        .map(|required| {
            format!(
                "{} of {}: {}",
                required.count,
                required.role,
                holders(policy, &required.role)
            )
        })
        .collect();
    let slots = approvals.slots();
    if slots > 1 {
        out.push(format!("{slots} different people"));
    }
    out.push(match (approvals.self_approval, requester) {
        (true, _) => "whoever asks may be one of them".to_owned(),
        (false, Some(person)) => {
            format!("not {}, who asks", policy.person(person).name)
        }
        (false, None) => "not whoever asks".to_owned(),
    });
    let chat = approvals.chat_votes();
    if chat < slots {
        out.push(match chat {
            0 => "none of them by chat".to_owned(),
            n => format!("at most {n} of them by chat"),
        });
    }
    if !approvals.wait_timer.is_zero() {
        out.push(format!(
            "it begins {} after the last vote",
            approvals.wait_timer
        ));
    }
    out.push(format!("they have {} to decide", approvals.expire_after));
    out
}
