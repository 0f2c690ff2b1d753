//! `sluice status`, and following a Rollout for every verb that waits.

use std::time::Duration;

use sluice_cluster::crd::Rollout;
use sluice_core::duration::HumanDuration;
use sluice_core::pipeline::OutcomeKind;
use sluice_core::rollout::State;

use super::objects;
use crate::args::StatusArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::{Followed, Sight, follow};
use crate::output::object;
use crate::session::Session;
use crate::text::progress::{self, Progress};
use crate::text::{rollout, when};

/// Seconds without an agent's look after which the follower says so.
const AGENT_SILENT: Duration = Duration::from_secs(30);

pub(crate) async fn run(session: &mut Session, args: &StatusArgs) -> Result<Exit, Failure> {
    let found: Rollout = objects::get(&session.access, &args.rollout).await?;
    if args.watch {
        let limit = args.limit.timeout;
        let (exit, _) = watch(
            session,
            &args.rollout,
            limit,
            &[OutcomeKind::Succeeded],
            true,
        )
        .await?;
        return Ok(exit);
    }
    session.out.json(&object(&found), false)?;
    let shown = rollout::status(&found, session.now(), session.out.style());
    session.out.text(&shown)?;
    let state = found.status.map(|j| j.state).unwrap_or_default();
    // Under way is no bad news; only an end can be.
    if state.ended() {
        Ok(Exit::of(&state, &[OutcomeKind::Succeeded]))
    } else {
        Ok(Exit::Done)
    }
}

/// Follows a Rollout to its end, a line per change. `stream`: with `-o json`, one object a line.
/// Answers with the last object that was seen.
pub(crate) async fn watch(
    session: &mut Session,
    name: &str,
    limit: Option<HumanDuration>,
    wanted: &[OutcomeKind],
    stream: bool,
) -> Result<(Exit, Option<Rollout>), Failure> {
    let clock = session.clock.clone();
    let out = &mut session.out;
    let mut shown = Progress::default();
    let mut last: Option<Rollout> = None;
    let mut turn = 0;
    let began = tokio::time::Instant::now();
    let mut warned = false;
    let limit_time = limit.map(|l| Duration::from_millis(l.as_millis()));
    let followed = follow::<Rollout>(&session.access, name, limit_time, |sight| {
        let now = clock.now();
        match sight {
            Sight::Object(object_) => {
                let journal = object_.status.clone().unwrap_or_default();
                if last.is_none() {
                    out.text(&object_.spec.body.title())?;
                }
                for line in shown.lines(&journal, now) {
                    out.text(&line)?;
                }
                if let Some(line) = shown.plan(object_, now) {
                    out.text(&line)?;
                }
                if stream {
                    out.json(&object(object_), true)?;
                }
                last = Some(object_.clone());
                return Ok(matches!(journal.state, State::Ended(_)));
            }
            Sight::Tick => {
                let untouched = last.as_ref().is_some_and(|r| r.status.is_none());
                if untouched && !warned && began.elapsed() > AGENT_SILENT {
                    warned = true;
                    out.note("no agent has looked at it for 30 s: is one running?")?;
                }
                if out.is_live()
                    && let Some(object) = &last
                {
                    turn += 1;
                    let line = progress::passing(object, turn, now, out.style());
                    out.paint(&line)?;
                }
            }
            Sight::Trouble(why) => {
                out.note(&format!("the connection was lost and is made anew: {why}"))?;
            }
        }
        Ok(false)
    })
    .await?;
    out.clear()?;
    match followed {
        Followed::Reached(end) => {
            session.out.text(&rollout::ended(&end))?;
            let way = rollout::way_of(&end, session.now(), session.out.style());
            if !way.is_empty() {
                session.out.text(&way)?;
            }
            let state = end.status.clone().unwrap_or_default().state;
            Ok((Exit::of(&state, wanted), Some(end)))
        }
        Followed::TimedOut => {
            let waited = when::length(limit.map_or(0, |l| l.as_millis() / 1000));
            out.note(&format!(
                "timed out after {waited}; the Rollout goes on: `sluice status {name} -w`"
            ))?;
            Ok((Exit::TimedOut, last))
        }
        Followed::Gone => Err(Failure::new("gone", format!("Rollout {name} was deleted"))
            .at(session.access.place())
            .because("somebody deleted it while it was followed")
            .change("`sluice explain` of its Pipeline says how it ended")
            .exit(Exit::NotDone)),
    }
}
