//! The five kinds: one file each, with the list of what a plugin of that kind can call, and how it
//! is asked. An interface that is not in a kind's list does not exist for its plugins.

use sluice_core::plugin::{
    Event, Judgement, Measurement, PlanStep, PluginKind, Report, SettingsIssue, StepObservation,
};
use wasmtime::Store;
use wasmtime::component::{Component, Instance, InstancePre, Linker, Resource};

use crate::bindings::exports::sluice::plugin as exports;
use crate::capability::context::InvocationHandle;
use crate::engine::EngineHandle;
use crate::fault::{Said, Stop};
use crate::state::CallState;

pub(crate) mod approval_provider;
pub(crate) mod metric_provider;
pub(crate) mod notifier;
pub(crate) mod settings;
pub(crate) mod smoke_test;
pub(crate) mod traffic_strategy;

/// What a guest is asked.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    RunSmokeTest,
    EvaluateMetrics(metric_provider::Window),
    Plan,
    Judge(PlanStep, Vec<StepObservation>),
    Notify(Event),
    Approval(approval_provider::Question),
    /// The settings as a JSON document.
    ValidateSettings(String),
}

impl Question {
    /// The export that answers it.
    pub(crate) fn export(&self) -> &'static str {
        use approval_provider::Question as Approval;
        match self {
            Question::RunSmokeTest => "smoke-test.run",
            Question::EvaluateMetrics(_) => "metric-provider.evaluate",
            Question::Plan => "traffic-strategy.plan",
            Question::Judge(..) => "traffic-strategy.judge",
            Question::Notify(_) => "notifier.notify",
            Question::Approval(Approval::Ask) => "approval-provider.ask",
            Question::Approval(Approval::Poll(_)) => "approval-provider.poll",
            Question::Approval(Approval::Withdraw(_)) => "approval-provider.withdraw",
            Question::Approval(Approval::Callback(..)) => "approval-provider.on-callback",
            Question::ValidateSettings(_) => "settings.validate",
        }
    }
}

/// What it answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Report(Report),
    Measurement(Measurement),
    Plan(Vec<PlanStep>),
    Judgement(Judgement),
    Notified(Option<String>),
    Approval(approval_provider::Reply),
    Settings(Vec<SettingsIssue>),
}

/// Why it did not answer: the runtime stopped it, or the answer is of no use.
pub(crate) enum Failure {
    Runtime(wasmtime::Error),
    Stop(Stop),
}

impl From<wasmtime::Error> for Failure {
    fn from(error: wasmtime::Error) -> Self {
        Failure::Runtime(error)
    }
}

/// The linkers of all kinds, made once.
pub(crate) struct Linkers {
    smoke_test: Linker<CallState>,
    metric_provider: Linker<CallState>,
    approval_provider: Linker<CallState>,
    traffic_strategy: Linker<CallState>,
    notifier: Linker<CallState>,
}

impl Linkers {
    pub(crate) fn new(handle: &EngineHandle) -> wasmtime::Result<Linkers> {
        let linker = |wire: fn(&mut Linker<CallState>) -> wasmtime::Result<()>| {
            let mut linker = Linker::new(handle.engine());
            wire(&mut linker).map(|()| linker)
        };
        Ok(Linkers {
            smoke_test: linker(smoke_test::link)?,
            metric_provider: linker(metric_provider::link)?,
            approval_provider: linker(approval_provider::link)?,
            traffic_strategy: linker(traffic_strategy::link)?,
            notifier: linker(notifier::link)?,
        })
    }

    fn of(&self, kind: PluginKind) -> &Linker<CallState> {
        match kind {
            PluginKind::SmokeTest => &self.smoke_test,
            PluginKind::MetricProvider => &self.metric_provider,
            PluginKind::ApprovalProvider => &self.approval_provider,
            PluginKind::TrafficStrategy => &self.traffic_strategy,
            PluginKind::Notifier => &self.notifier,
        }
    }
}

/// The exports of one kind, found once per load.
enum Exports {
    SmokeTest(exports::smoke_test::GuestIndices),
    MetricProvider(exports::metric_provider::GuestIndices),
    ApprovalProvider(exports::approval_provider::GuestIndices),
    TrafficStrategy(exports::traffic_strategy::GuestIndices),
    Notifier(exports::notifier::GuestIndices),
}

/// A compiled plugin whose imports are connected; instances are made from it.
pub(crate) struct Program {
    pre: InstancePre<CallState>,
    settings: exports::settings::GuestIndices,
    exports: Exports,
}

impl Program {
    /// Connects a component to what its kind may call, and finds its exports.
    pub(crate) fn new(
        linkers: &Linkers,
        kind: PluginKind,
        component: &Component,
    ) -> wasmtime::Result<Program> {
        let pre = linkers.of(kind).instantiate_pre(component)?;
        let exports = match kind {
            PluginKind::SmokeTest => {
                Exports::SmokeTest(exports::smoke_test::GuestIndices::new(&pre)?)
            }
            PluginKind::MetricProvider => {
                Exports::MetricProvider(exports::metric_provider::GuestIndices::new(&pre)?)
            }
            PluginKind::ApprovalProvider => {
                Exports::ApprovalProvider(exports::approval_provider::GuestIndices::new(&pre)?)
            }
            PluginKind::TrafficStrategy => {
                Exports::TrafficStrategy(exports::traffic_strategy::GuestIndices::new(&pre)?)
            }
            PluginKind::Notifier => Exports::Notifier(exports::notifier::GuestIndices::new(&pre)?),
        };
        let settings = exports::settings::GuestIndices::new(&pre)?;
        Ok(Program {
            pre,
            settings,
            exports,
        })
    }

    /// Makes an instance in a fresh store and asks it one question.
    pub(crate) async fn ask(
        &self,
        store: &mut Store<CallState>,
        question: Question,
    ) -> Result<Reply, Failure> {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        match (&self.exports, question) {
            (_, Question::ValidateSettings(text)) => {
                settings::validate(&self.settings, store, &instance, &text)
                    .await
                    .map(Reply::Settings)
            }
            (Exports::SmokeTest(guest), Question::RunSmokeTest) => {
                smoke_test::run(guest, store, &instance)
                    .await
                    .map(Reply::Report)
            }
            (Exports::MetricProvider(guest), Question::EvaluateMetrics(window)) => {
                metric_provider::evaluate(guest, store, &instance, window)
                    .await
                    .map(Reply::Measurement)
            }
            (Exports::TrafficStrategy(guest), Question::Plan) => {
                traffic_strategy::plan(guest, store, &instance)
                    .await
                    .map(Reply::Plan)
            }
            (Exports::TrafficStrategy(guest), Question::Judge(step, seen)) => {
                traffic_strategy::judge(guest, store, &instance, &step, &seen)
                    .await
                    .map(Reply::Judgement)
            }
            (Exports::Notifier(guest), Question::Notify(event)) => {
                notifier::notify(guest, store, &instance, &event)
                    .await
                    .map(Reply::Notified)
            }
            (Exports::ApprovalProvider(guest), Question::Approval(question)) => {
                approval_provider::ask(guest, store, &instance, question)
                    .await
                    .map(Reply::Approval)
            }
            (
                Exports::SmokeTest(_)
                | Exports::MetricProvider(_)
                | Exports::ApprovalProvider(_)
                | Exports::TrafficStrategy(_)
                | Exports::Notifier(_),
                Question::RunSmokeTest
                | Question::EvaluateMetrics(_)
                | Question::Plan
                | Question::Judge(..)
                | Question::Notify(_)
                | Question::Approval(_),
            ) => Err(Failure::Stop(Stop::Missing(
                "the plugin is of another kind".to_owned(),
            ))),
        }
    }
}

/// The borrowed handle that every call passes.
fn invocation(store: &mut Store<CallState>) -> wasmtime::Result<Resource<InvocationHandle>> {
    let handle = store.data_mut().table.push(InvocationHandle)?;
    Ok(Resource::new_borrow(handle.rep()))
}

/// The guest's own error, clean and without known secrets.
fn said(store: &Store<CallState>, error: crate::bindings::sluice::plugin::types::Error) -> Failure {
    let redactor = &store.data().outbound.redactor;
    Failure::Stop(Stop::Said(Said::new(error, |words| redactor.text(words))))
}

/// One clean line of a guest's answer, without known secrets.
fn clean(store: &Store<CallState>, words: &str, limit: usize) -> String {
    let redacted = store
        .data()
        .outbound
        .redactor
        .text(&crate::text::line(words, limit));
    crate::text::line(&redacted, limit)
}

fn bad(words: impl Into<String>) -> Failure {
    Failure::Stop(Stop::BadAnswer(words.into()))
}

/// What every kind may call: the log, the context, and a closed WASI.
fn link_basics(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    use wasmtime::component::HasSelf;
    // Types only; some guests import the interface by name all the same.
    crate::bindings::sluice::plugin::types::add_to_linker::<CallState, HasSelf<CallState>>(
        linker,
        crate::state::counted,
    )?;
    crate::capability::wasi::link(linker)?;
    crate::capability::log::link(linker)?;
    crate::capability::context::link(linker)
}

type Answer<T> = Result<T, Failure>;
type In<'a> = &'a Instance;
