//! `sluice approve` and `sluice reject`: an Approval in the voter's own name, bound to the hash of
//! what they were shown (reliability.md A2, A4).

use std::time::Duration;

use kube::ResourceExt;
use kube::api::{ObjectMeta, PostParams};
use serde_json::json;
use sluice_cluster::crd::{Approval, ApprovalBody, Rollout};
use sluice_cluster::observe::target_of;
use sluice_core::approval::{Channel, Decision};
use sluice_core::hash::{child_name, short_name_hash};
use sluice_core::rollout::{Journal, RolloutSpec, Seen, State, Why};
use sluice_core::template::{images, with_image};

use super::ask::owner;
use super::{facts, objects};
use crate::access::Access;
use crate::args::{RejectArgs, VoteArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::{Followed, Sight, follow};
use crate::identity::whoami;
use crate::output::object;
use crate::session::Session;
use crate::text;
use crate::text::vote::{ImageChange, Surroundings};

/// An agent that works has counted a vote in this time; the voter then sees what it did.
const COUNTED: Duration = Duration::from_secs(5);

pub(crate) async fn approve(session: &mut Session, a: &VoteArgs) -> Result<Exit, Failure> {
    vote(
        session,
        &a.rollout,
        Decision::Approve,
        a.reason.as_deref(),
        a.yes,
    )
    .await
}

pub(crate) async fn reject(session: &mut Session, a: &RejectArgs) -> Result<Exit, Failure> {
    vote(
        session,
        &a.rollout,
        Decision::Reject,
        Some(&a.reason),
        a.yes,
    )
    .await
}

async fn vote(
    session: &mut Session,
    name: &str,
    decision: Decision,
    reason: Option<&str>,
    yes: bool,
) -> Result<Exit, Failure> {
    let rollout: Rollout = objects::get(&session.access, name).await?;
    let spec = rollout.spec.body.clone();
    let journal = rollout.status.clone().unwrap_or_default();
    let Some(request) = journal.approval.clone() else {
        return Err(nothing_to_vote_on(
            session,
            name,
            &text::rollout::why(&journal),
        ));
    };
    let by = whoami(&session.access).await?;
    let word = match decision {
        Decision::Approve => "approve",
        Decision::Reject => "reject",
    };
    let vote_name = child_name(name, &short_name_hash(&[&by.username, &request.hash, word]));
    // Whoever may vote need not be allowed to read votes: then the write itself tells.
    if let Ok(Some(before)) = objects::find::<Approval>(&session.access, &vote_name).await {
        return voted_before(session, &before, &rollout);
    }
    if let Err(why) = open(&journal, decision) {
        return Err(nothing_to_vote_on(session, name, &why));
    }
    if session.out.is_json() && session.out.asks() && !yes {
        return Err(
            Failure::new("usage", "with -o json you would sign what you do not see")
                .change("leave -o json out, or add --yes")
                .exit(Exit::Usage),
        );
    }
    let around = surroundings(&session.access, &spec).await;
    let now = session.now();
    let facts = facts::of(&session.access, &rollout, &journal, now).await;
    let style = session.out.style();
    session.out.text(&text::vote::subject(
        &facts, &spec, &journal, &request, &around, now, style,
    ))?;
    session.out.text("")?;
    let question = match decision {
        Decision::Approve => format!("Approve this as {}?", by.username),
        Decision::Reject => format!("Reject this as {}? The Rollout ends.", by.username),
    };
    if !yes && !session.out.confirm(&question).await? {
        session.out.text("not voted")?;
        return Ok(Exit::NotDone);
    }
    let approval = Approval {
        metadata: ObjectMeta {
            name: Some(vote_name.clone()),
            namespace: Some(session.access.namespace.clone()),
            owner_references: owner(&rollout).map(|o| vec![o]),
            ..ObjectMeta::default()
        },
        spec: ApprovalBody {
            rollout: name.to_owned(),
            rollout_uid: rollout.uid().unwrap_or_default(),
            hash: request.hash,
            approver: by.username.clone(),
            provider: by.provider,
            groups: by.groups,
            decision,
            channel: Channel::Kubernetes,
            reason: reason.map(str::to_owned),
        },
    };
    let api = objects::api::<Approval>(&session.access);
    let stored = match api.create(&PostParams::default(), &approval).await {
        Ok(stored) => stored,
        // The same person, the same hash, the same word: it is this very vote.
        Err(kube::Error::Api(s)) if s.code == 409 => {
            return voted_before(session, &approval, &rollout);
        }
        Err(e) => {
            return Err(session
                .access
                .fault("write", &format!("Approval {vote_name}"), e));
        }
    };
    session.out.text(&format!(
        "voted: {word} as {} (Approval {vote_name})",
        by.username
    ))?;
    let after = counted(session, name, &journal).await?;
    let shown = after.as_ref().unwrap_or(&rollout);
    session.out.json(
        &json!({"approval": object(&stored), "rollout": object(shown)}),
        false,
    )?;
    match &after {
        Some(after) => {
            let journal = after.status.clone().unwrap_or_default();
            session.out.text(&format!(
                "now: {}: {}",
                journal.phase,
                text::rollout::why(&journal)
            ))?;
        }
        None => session.out.text(&format!(
            "the Rollout says the same as before the vote: {}; `sluice explain {name}` says more",
            text::rollout::why(&journal)
        ))?,
    }
    Ok(Exit::Done)
}

/// Whether a vote could still achieve anything.
fn open(journal: &Journal, decision: Decision) -> Result<(), String> {
    let missing = matches!(journal.why, Some(Why::WaitsForVotes { .. }));
    match (&journal.state, decision) {
        (State::AwaitingApproval, Decision::Approve) if !missing => Err(format!(
            "no vote is missing: {}",
            text::rollout::why(journal)
        )),
        (State::AwaitingApproval, Decision::Approve | Decision::Reject) => Ok(()),
        // A policy that became stricter asks again before the next step.
        (
            State::Preparing(_) | State::Progressing(_) | State::Promoting(_) | State::Watching(_),
            Decision::Approve,
        ) if missing => Ok(()),
        (
            State::Preparing(_) | State::Progressing(_) | State::Promoting(_) | State::Watching(_),
            Decision::Approve,
        ) => Err(format!("it has begun: {}", text::rollout::why(journal))),
        (
            State::Preparing(_) | State::Progressing(_) | State::Promoting(_) | State::Watching(_),
            Decision::Reject,
        ) => Err("it has begun; `sluice abort` puts the old version back".into()),
        (
            State::Queued
            | State::Planning { .. }
            | State::Finishing(_)
            | State::RollingBack(_)
            | State::Recording(_)
            | State::Ended(_),
            _,
        ) => Err(text::rollout::why(journal)),
    }
}

fn nothing_to_vote_on(session: &Session, name: &str, why: &str) -> Failure {
    Failure::new(
        "nothing-to-vote-on",
        format!("Rollout {name} does not wait for a vote"),
    )
    .at(session.access.place())
    .because(why)
    .change(format!("`sluice explain {name}` says what it waits for"))
    .exit(Exit::NotDone)
}

fn voted_before(
    session: &mut Session,
    vote: &Approval,
    rollout: &Rollout,
) -> Result<Exit, Failure> {
    let name = vote.name_any();
    session.out.text(&format!(
        "you have voted so already (Approval {name}); once is enough"
    ))?;
    session.out.json(
        &json!({"approval": object(vote), "rollout": object(rollout)}),
        false,
    )?;
    Ok(Exit::Done)
}

/// Waits a little for the agent to count the vote: the Rollout once it says something new.
async fn counted(
    session: &mut Session,
    name: &str,
    before: &Journal,
) -> Result<Option<Rollout>, Failure> {
    let followed = follow::<Rollout>(&session.access, name, Some(COUNTED), |sight| match sight {
        Sight::Object(r) => {
            let now = r.status.as_ref();
            Ok(now.is_some_and(|j| {
                let says_more = j.message != before.message || j.state != before.state;
                // An end that is being written is no answer yet; the end itself is.
                says_more && !matches!(j.state, State::Recording(_))
            }))
        }
        Sight::Tick | Sight::Trouble(_) => Ok(false),
    })
    .await;
    match followed {
        Ok(Followed::Reached(rollout)) => Ok(Some(rollout)),
        // The vote is stored, and that is what counts; looking on was a courtesy.
        Ok(Followed::TimedOut | Followed::Gone) | Err(_) => Ok(None),
    }
}

/// What an approver needs to see besides the Rollout, as far as they may look.
async fn surroundings(access: &Access, spec: &RolloutSpec) -> Surroundings {
    let target = &spec.target;
    let images = match target_of(&access.client, target).await {
        Seen::Present(w) => change(w.template(), spec),
        Seen::Absent => Err(format!("Deployment {target} does not exist")),
        Seen::Unknown(why) => Err(why),
    };
    Surroundings { images }
}

/// The images of each container now and after the change.
fn change(template: &serde_json::Value, spec: &RolloutSpec) -> Result<ImageChange, String> {
    let after = with_image(
        template,
        spec.target.container.as_deref(),
        &spec.image.repository,
        &spec.image.digest,
    )?;
    let names = ["initContainers", "containers"]
        .iter()
        .filter_map(|list| template.pointer(&format!("/spec/{list}"))?.as_array())
        .flatten()
        .map(|c| {
            c.get("name")
                .and_then(|n| n.as_str())
                .unwrap_or("?")
                .to_owned()
        });
    let containers = names
        .zip(images(template).into_iter().zip(images(&after)))
        .map(|(name, (before, after))| (name, before, after))
        .collect();
    Ok(ImageChange { containers })
}

#[cfg(test)]
mod tests {
    use sluice_core::pipeline::OutcomeKind;
    use sluice_core::rollout::End;

    use super::*;

    #[test]
    fn a_vote_is_taken_only_where_it_can_achieve_something() {
        let votes = Why::WaitsForVotes {
            missing: vec!["tech-lead".into()],
            given: Vec::new(),
            ignored: Vec::new(),
            expires_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let end = End {
            kind: OutcomeKind::Rejected,
            message: "no".into(),
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let journal = |state: State, why: Option<Why>| Journal {
            state,
            why,
            ..Journal::default()
        };
        let waiting = journal(State::AwaitingApproval, Some(votes));
        assert_eq!(open(&waiting, Decision::Approve), Ok(()));
        assert_eq!(open(&waiting, Decision::Reject), Ok(()));
        let complete = journal(State::AwaitingApproval, Some(Why::Records));
        assert!(open(&complete, Decision::Approve).is_err());
        assert_eq!(open(&complete, Decision::Reject), Ok(()));
        for state in [State::Queued, State::Ended(end)] {
            for decision in [Decision::Approve, Decision::Reject] {
                assert!(
                    open(&journal(state.clone(), None), decision).is_err(),
                    "{state:?}"
                );
            }
        }
    }
}
