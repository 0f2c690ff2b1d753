//! The script: what the host would know, and which calls it expects.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde_json::Value;
use sluice_case::Made;

use super::cases::Expected;
use super::reply::Answer;
use super::{Played, Reply};
use crate::bindings::host::sluice::plugin::http as wire;
use crate::serve::{self, EvaluateFn, JudgeFn, NotifyFn, PlanFn, RunFn};
use crate::{
    Chain, Error, Event, Judgement, Level, Measurement, NetError, Observation, Release, Report,
    Request, Step, Window, Workload,
};

type Handler = Box<dyn FnMut(&Request) -> Reply>;

/// A host that plays a script.
pub struct Script {
    settings: String,
    release: Release,
    attributes: Vec<(String, String)>,
    state: RefCell<State>,
}

/// When a script begins, unless it says otherwise: 2026-01-01, 00:00 UTC.
const BEGINNING_UNIX_MS: u64 = 1_767_225_600_000;

struct State {
    now_unix_ms: u64,
    remaining_ms: u32,
    expected: VecDeque<(String, Reply)>,
    handler: Option<Handler>,
    by_case: Option<Expected>,
    requests: Vec<Request>,
    log: Vec<(Level, String)>,
    slept_ms: u32,
}

impl State {
    fn spend(&mut self, ms: u32) {
        self.remaining_ms = self.remaining_ms.saturating_sub(ms);
        self.now_unix_ms = self.now_unix_ms.saturating_add(u64::from(ms));
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl Script {
    /// Settings `{}`, a release of `storefront` in namespace `shop`, ten seconds, no calls.
    #[must_use]
    pub fn new() -> Self {
        let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
        let workload = Workload {
            cluster: "test".into(),
            namespace: "shop".into(),
            kind: "Deployment".into(),
            name: "storefront".into(),
            uid: "00000000-0000-4000-8000-000000000001".into(),
        };
        let release = Release {
            id: "storefront-production-1".into(),
            workload,
            from_revision: Some(digest("a")),
            to_revision: digest("b"),
            images: vec![format!(
                "registry.example.com/shop/storefront@{}",
                digest("b")
            )],
            subject_digest: digest("c"),
        };
        let state = State {
            now_unix_ms: BEGINNING_UNIX_MS,
            remaining_ms: 10_000,
            expected: VecDeque::new(),
            handler: None,
            by_case: None,
            requests: Vec::new(),
            log: Vec::new(),
            slept_ms: 0,
        };
        Self {
            settings: "{}".into(),
            release,
            attributes: Vec::new(),
            state: RefCell::new(state),
        }
    }

    /// Sets the settings.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "reads as .settings(json!({..}))"
    )]
    pub fn settings(mut self, settings: Value) -> Self {
        self.settings = settings.to_string();
        self
    }

    /// Sets the release.
    #[must_use]
    pub fn release(mut self, release: Release) -> Self {
        self.release = release;
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Sets the time for the whole call, in milliseconds.
    #[must_use]
    pub fn remaining_ms(mut self, ms: u32) -> Self {
        self.state.get_mut().remaining_ms = ms;
        self
    }

    /// Sets the time at the beginning of the call, in milliseconds since 1970-01-01 UTC. It goes on
    /// with every answer and pause.
    #[must_use]
    pub fn now_unix_ms(mut self, ms: u64) -> Self {
        self.state.get_mut().now_unix_ms = ms;
        self
    }

    /// Expects, as the next call, a request to the candidate.
    #[must_use]
    pub fn call(self, method: &str, path: &str, reply: Reply) -> Self {
        self.call_on("candidate", method, path, reply)
    }

    /// Expects, as the next call, a request to this target.
    #[must_use]
    pub fn call_on(mut self, target: &str, method: &str, path: &str, reply: Reply) -> Self {
        let line = Request::new(method, path).on(target).to_string();
        self.state.get_mut().expected.push_back((line, reply));
        self
    }

    /// Expects, as the next call, a look at this target's certificates.
    #[must_use]
    pub fn inspect(mut self, target: &str, reply: Reply) -> Self {
        self.state
            .get_mut()
            .expected
            .push_back((inspect_line(target), reply));
        self
    }

    /// Answers every request with a function instead of a list.
    #[must_use]
    pub fn answer_with(mut self, handler: impl FnMut(&Request) -> Reply + 'static) -> Self {
        self.state.get_mut().handler = Some(Box::new(handler));
        self
    }

    /// Answers as a case says, and notes where the plugin does otherwise.
    pub(super) fn expecting(mut self, expected: Expected) -> Self {
        self.state.get_mut().by_case = Some(expected);
        self
    }

    /// What is left of the case.
    pub(super) fn expected(self) -> Expected {
        self.state.into_inner().by_case.unwrap_or_default()
    }

    /// Plays a smoke test.
    #[track_caller]
    pub fn smoke_test<S: DeserializeOwned>(self, run: RunFn<S>) -> Played<Report> {
        let result = serve::smoke_test(run).run(&self);
        self.finish(result)
    }

    /// Plays a strategy's `plan`.
    #[track_caller]
    pub fn plan<S: DeserializeOwned>(self, plan: PlanFn<S>) -> Played<Vec<Step>> {
        let unused: JudgeFn<S> = |_, _, _, _| Err(Error::Other("not under test".into()));
        let result = serve::strategy(plan, unused).plan(&self);
        self.finish(result)
    }

    /// Plays a strategy's `judge`.
    #[track_caller]
    pub fn judge<S: DeserializeOwned>(
        self,
        judge: JudgeFn<S>,
        step: &Step,
        observations: &[Observation],
    ) -> Played<Judgement> {
        let unused: PlanFn<S> = |_, _| Err(Error::Other("not under test".into()));
        let result = serve::strategy(unused, judge).judge(&self, step, observations);
        self.finish(result)
    }

    /// Plays a notifier.
    #[track_caller]
    pub fn notify<S: DeserializeOwned>(
        self,
        notify: NotifyFn<S>,
        event: &Event,
    ) -> Played<Option<String>> {
        let result = serve::notifier(notify).notify(&self, event);
        self.finish(result)
    }

    /// Plays a metric provider.
    #[track_caller]
    pub fn evaluate<S: DeserializeOwned>(
        self,
        evaluate: EvaluateFn<S>,
        window: Window,
    ) -> Played<Measurement> {
        let result = serve::metrics(evaluate).evaluate(&self, window);
        self.finish(result)
    }

    /// Plays one function of an approval provider:
    /// `script.approval(|client, settings: Settings| poll(client, settings, "ticket"))`.
    #[track_caller]
    pub fn approval<S: DeserializeOwned, T: Debug>(
        self,
        function: impl FnOnce(&crate::Client<'_>, S) -> Result<T, Error>,
    ) -> Played<T> {
        let result = crate::settings::of_call(&self.settings).and_then(|settings| {
            function(&crate::Client::new(crate::Context::new(&self)), settings)
        });
        self.finish(result)
    }

    #[track_caller]
    fn finish<T: Debug>(self, result: Result<T, Error>) -> Played<T> {
        let state = self.state.into_inner();
        let left: Vec<&str> = state
            .expected
            .iter()
            .map(|(line, _)| line.as_str())
            .collect();
        assert!(
            left.is_empty(),
            "expected but never sent: {left:?}; the plugin: {result:?}"
        );
        Played {
            result,
            requests: state.requests,
            log: state.log,
            slept_ms: state.slept_ms,
        }
    }
}

/// The host's side, called through the seam.
impl Script {
    pub(crate) fn given_settings(&self) -> String {
        self.settings.clone()
    }

    pub(crate) fn given_release(&self) -> Release {
        self.release.clone()
    }

    pub(crate) fn given_attributes(&self) -> Vec<(String, String)> {
        self.attributes.clone()
    }

    pub(crate) fn given_key(&self) -> String {
        format!("{}/test", self.release.id)
    }

    pub(crate) fn given_now_unix_ms(&self) -> u64 {
        self.state.borrow().now_unix_ms
    }

    pub(crate) fn left_ms(&self) -> u32 {
        self.state.borrow().remaining_ms
    }

    pub(crate) fn note(&self, level: Level, message: &str, _: &[(String, String)]) {
        self.state.borrow_mut().log.push((level, message.into()));
    }

    pub(crate) fn pass(&self, ms: u32) {
        let mut state = self.state.borrow_mut();
        state.spend(ms);
        state.slept_ms = state.slept_ms.saturating_add(ms);
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "runs in tests only: it fails the test")]
    pub(crate) fn play(&self, request: &wire::Request) -> Result<wire::Response, NetError> {
        let request = Request {
            target: request.target.clone(),
            method: request.method.clone(),
            path: request.path_and_query.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            timeout_ms: request.timeout_ms,
        };
        let line = request.to_string();
        let by_case = self.by_case(|| Made {
            target: request.target.clone(),
            method: request.method.clone(),
            path: request.path.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
        });
        let reply = by_case.unwrap_or_else(|| {
            let handler = self.state.borrow_mut().handler.take();
            let Some(mut answer) = handler else {
                return self.next(&line);
            };
            let reply = answer(&request);
            self.state.borrow_mut().handler = Some(answer);
            reply
        });
        self.state.borrow_mut().requests.push(request);
        match self.take(reply) {
            Answer::Http(response) => Ok(response),
            Answer::Error(error) => Err(error),
            Answer::Chain(_) => panic!("the script answers `{line}` with certificates"),
        }
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "runs in tests only: it fails the test")]
    pub(crate) fn play_inspect(&self, target: &str, _: Option<u32>) -> Result<Chain, NetError> {
        let line = inspect_line(target);
        let by_case = self.by_case(|| Made {
            target: target.into(),
            ..Made::default()
        });
        let reply = by_case.unwrap_or_else(|| self.next(&line));
        match self.take(reply) {
            Answer::Chain(chain) => Ok(chain),
            Answer::Error(error) => Err(error),
            Answer::Http(_) => panic!("the script answers `{line}` with an HTTP response"),
        }
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "runs in tests only: it fails the test")]
    fn next(&self, line: &str) -> Reply {
        match self.state.borrow_mut().expected.pop_front() {
            Some((expected, reply)) if expected == line => reply,
            Some((expected, _)) => panic!("expected `{expected}`, the plugin sent `{line}`"),
            None => panic!("no further call was expected, the plugin sent `{line}`"),
        }
    }

    fn by_case(&self, made: impl FnOnce() -> Made) -> Option<Reply> {
        let mut state = self.state.borrow_mut();
        Some(state.by_case.as_mut()?.answer(&made()))
    }

    fn take(&self, reply: Reply) -> Answer {
        let mut state = self.state.borrow_mut();
        state.spend(reply.takes_ms);
        reply.answer
    }
}

fn inspect_line(target: &str) -> String {
    format!("certificate of {target}")
}
