//! Who leads, as a pure state machine over a Lease and a monotonic clock (reliability.md F1, F2, F4).
//!
//! The instants in a Lease are another machine's and are believed by nobody: a Lease is over when it
//! has not *changed* for its duration, measured here. A Lease fences nothing by itself; what does is
//! the epoch that goes with every write, and that the API server compares.
//!
//! ```text
//!  renewed        writes stop      another may take it
//!  │── renew deadline ──►│              │
//!  │────────────── duration ───────────►│        the gap is what a slow write may take
//! ```

/// A dead leader stops delivery for at most this long. Much shorter, and one stalled write to the
/// API server costs the lease; much longer, and a rollback waits for it. Milliseconds.
pub const DURATION_MS: u64 = 15_000;

/// How long a Lease lasts, and what follows from it, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Until others may take it, from its last change on.
    pub duration_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            duration_ms: DURATION_MS,
        }
    }
}

impl Timing {
    /// A leader that could not renew for so long writes nothing any more: two thirds.
    pub fn renew_deadline_ms(self) -> u64 {
        self.duration_ms / 3 * 2
    }

    /// How often a leader renews, and the others look: five times within the renew deadline.
    pub fn retry_ms(self) -> u64 {
        self.renew_deadline_ms() / 5
    }
}

/// What a Lease object says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; empty: given back.
    pub holder: String,
    /// Its duration in milliseconds.
    pub duration_ms: u64,
    /// How often it changed hands: the epoch of the holder.
    pub transitions: u64,
    /// When it was renewed, in the holder's words. Only compared for being the same.
    pub renewed: String,
    /// The version to replace.
    pub resource_version: String,
}

/// What to do about the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// There is none: make it, with this epoch.
    Create {
        /// The epoch.
        epoch: u64,
    },
    /// It is free: take it, with this epoch, if it is still at this version.
    Take {
        /// The epoch.
        epoch: u64,
        /// The version to replace.
        resource_version: String,
    },
    /// It is ours: renew it, if it is still at this version.
    Renew {
        /// The epoch, unchanged.
        epoch: u64,
        /// The version to replace.
        resource_version: String,
    },
    /// Another one's.
    Wait,
    /// It was ours and is not any more: this process must end.
    StepDown,
}

/// One process that would lead.
#[derive(Clone, Debug)]
pub struct Candidacy {
    me: String,
    timing: Timing,
    seen: Option<(Record, u64)>,
    term: Option<Term>,
}

/// The time in which this process leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// The fencing token.
    pub epoch: u64,
    /// Until when writes may be sent: milliseconds of the monotonic clock.
    pub until_ms: u64,
}

impl Candidacy {
    /// `me` names this process and no other, not even the next one in the same pod.
    pub fn new(me: &str, timing: Timing) -> Self {
        Self {
            me: me.to_owned(),
            timing,
            seen: None,
            term: None,
        }
    }

    /// What to do, now that the Lease was read. `floor` is the highest epoch seen on any object: an
    /// epoch is above it even where the Lease was lost and is made anew (F4).
    pub fn next(&mut self, found: Option<&Record>, floor: u64, now_ms: u64) -> Step {
        if let Some(term) = self.term {
            let ours = found.filter(|r| r.holder == self.me && r.transitions == term.epoch);
            return match ours {
                Some(r) if now_ms < term.until_ms => Step::Renew {
                    epoch: term.epoch,
                    resource_version: r.resource_version.clone(),
                },
                Some(_) | None => {
                    self.term = None;
                    Step::StepDown
                }
            };
        }
        let Some(record) = found else {
            self.seen = None;
            return Step::Create {
                epoch: floor.saturating_add(1),
            };
        };
        let unchanged_since = match &self.seen {
            Some((seen, at)) if same(seen, record) => *at,
            Some(_) | None => {
                self.seen = Some((record.clone(), now_ms));
                now_ms
            }
        };
        let idle = now_ms.saturating_sub(unchanged_since);
        if record.holder.is_empty() || idle >= record.duration_ms {
            Step::Take {
                epoch: record.transitions.max(floor).saturating_add(1),
                resource_version: record.resource_version.clone(),
            }
        } else {
            Step::Wait
        }
    }

    /// The write went through. `sent_ms` is when it was sent: the answer may have taken long.
    pub fn written(&mut self, epoch: u64, sent_ms: u64) -> Term {
        let term = Term {
            epoch,
            until_ms: sent_ms.saturating_add(self.timing.renew_deadline_ms()),
        };
        self.term = Some(term);
        term
    }

    /// The term, if this process leads and could renew in time.
    pub fn term(&self, now_ms: u64) -> Option<Term> {
        self.term.filter(|t| now_ms < t.until_ms)
    }
}

/// Whether an epoch says nothing: written by an agent without a Lease.
pub fn unfenced(epoch: &u64) -> bool {
    *epoch == 0
}

/// Whether nobody wrote it in between.
fn same(a: &Record, b: &Record) -> bool {
    (&a.holder, a.transitions, &a.renewed) == (&b.holder, b.transitions, &b.renewed)
}

#[cfg(test)]
mod tests;
