//! What stands behind the doors for machines in tests: secrets, hints and callbacks that are counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use ring::hmac;
use sluice_core::plugin::{ApprovalDecision, ApprovalStatus, PluginAnswer, PluginCall};
use sluice_core::policy::{Identity, IdentityProvider, Policy};
use sluice_core::port::BoxFuture;
use sluice_web::{CallbackRefused, Callbacks, Doors, Hints, Secrets, Verified, Web, WebConfig};

use crate::sample::{self, Site};

/// The part of the agent behind the doors.
#[derive(Default)]
pub(crate) struct Behind {
    /// Repositories that were looked at, in order.
    pub(crate) looked: Mutex<Vec<String>>,
    /// Secrets by `NAME/KEY`.
    pub(crate) secrets: BTreeMap<String, Vec<u8>>,
    /// What plugins answer; none: they are silent for long.
    pub(crate) answer: Mutex<Option<ApprovalStatus>>,
}

impl Hints for Behind {
    fn look(&self, repository: &str) -> usize {
        self.looked.lock().unwrap().push(repository.to_owned());
        1
    }
}

impl Secrets for Behind {
    fn read<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<Vec<u8>, String>> {
        let found = self.secrets.get(at).cloned();
        Box::pin(async move { found.ok_or_else(|| "there is no such secret".to_owned()) })
    }
}

/// Believes `x-test-person` and `x-test-subject`, and nothing without them: what the real one takes
/// out of a signed body.
impl Callbacks for Behind {
    fn receive<'a>(
        &'a self,
        plugin: &'a str,
        headers: &'a [(String, String)],
        raw_body: &'a [u8],
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Verified, CallbackRefused>> {
        let header = |name: &str| {
            let found = headers.iter().find(|(n, _)| n == name);
            found.map(|(_, v)| v.clone())
        };
        let verified = match (plugin, header("x-test-person")) {
            ("slack-approval", Some(person)) => Ok(Verified {
                plugin: plugin.to_owned(),
                person: Identity::of(IdentityProvider::Slack, person),
                subject: header("x-test-subject"),
                headers: Vec::new(),
                body: raw_body.to_vec(),
            }),
            ("slack-approval", None) => Err(CallbackRefused {
                status: 401,
                sentence: "the signature does not fit".to_owned(),
            }),
            _ => Err(CallbackRefused {
                status: 404,
                sentence: "no plugin of this name may be called back".to_owned(),
            }),
        };
        Box::pin(async move { verified })
    }

    fn ask(&self, call: PluginCall) -> BoxFuture<'_, PluginAnswer> {
        let PluginCall::ApprovalCallback { ticket, .. } = call else {
            panic!("another question: {call:?}")
        };
        assert_eq!(ticket, "ticket-1");
        let answer = self.answer.lock().unwrap().clone();
        Box::pin(async move {
            match answer {
                Some(answer) => PluginAnswer::ApprovalCallback(Some(answer)),
                None => std::future::pending().await,
            }
        })
    }
}

pub(crate) fn decided(approved: bool, subject: &str) -> ApprovalStatus {
    ApprovalStatus::Decided(ApprovalDecision {
        approved,
        approver: "somebody whom the plugin made up".to_owned(),
        reason: "looks good".to_owned(),
        subject_digest: subject.to_owned(),
    })
}

/// A site with these doors and this policy.
pub(crate) fn site(config: WebConfig, behind: &Arc<Behind>, policy: &str) -> Site {
    let (mut site, mut state) = Site::parts(config, Arc::default());
    state.doors = Doors {
        hints: behind.clone(),
        callbacks: behind.clone(),
        secrets: behind.clone(),
    };
    site.web = Web::new(state);
    let policy = Policy::parse(policy).unwrap();
    site.policy.send_replace(Arc::new(policy));
    site.pipeline(
        "storefront",
        sample::pipeline_spec(),
        sample::pipeline_status(),
    );
    site
}

pub(crate) fn tag(secret: &[u8], text: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, text);
    tag.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}

/// Our signature of a body at an instant.
pub(crate) fn signature(secret: &[u8], at: Timestamp, body: &str) -> String {
    let t = at.as_second();
    format!("t={t},v1={}", tag(secret, format!("{t}.{body}").as_bytes()))
}
