//! What the export macros call. Not for plugin authors.

use serde::de::DeserializeOwned;

use crate::host::{self, Call};
use crate::{
    Client, Context, Error, Event, Issue, Judgement, Measurement, Observation, Report, SmokeTest,
    Status, Step, Stop, TestResult, Window, settings,
};

/// A smoke test's function.
pub type RunFn<S> = fn(&mut SmokeTest<'_>, S) -> TestResult;
/// A strategy's `plan`.
pub type PlanFn<S> = fn(&Context<'_>, S) -> Result<Vec<Step>, Error>;
/// A strategy's `judge`.
pub type JudgeFn<S> = fn(&Context<'_>, S, &Step, &[Observation]) -> Result<Judgement, Error>;
/// A notifier's function.
pub type NotifyFn<S> = fn(&Client<'_>, S, &Event) -> Result<Option<String>, Error>;
/// A metric provider's function.
pub type EvaluateFn<S> = fn(&Client<'_>, S, Window) -> Result<Measurement, Error>;
/// An approval provider's `ask`.
pub type AskFn<S> = fn(&Client<'_>, S) -> Result<Status, Error>;
/// An approval provider's `poll`.
pub type PollFn<S> = fn(&Client<'_>, S, &str) -> Result<Status, Error>;
/// An approval provider's `withdraw`.
pub type WithdrawFn<S> = fn(&Client<'_>, S, &str) -> Result<(), Error>;
/// An approval provider's `on_callback`: ticket, headers, body.
pub type CallbackFn<S> =
    fn(&Client<'_>, S, &str, &[(String, String)], &[u8]) -> Result<Option<Status>, Error>;

/// Ties a macro's functions to one settings type, and lets the native build see that they are used.
#[derive(Clone, Copy)]
pub struct Plugin<S, F> {
    functions: F,
    own: fn(&S) -> Vec<Issue>,
}

impl<S, F> Plugin<S, F> {
    /// Replaces the plugin's own check of its settings.
    #[must_use]
    pub const fn validate(self, own: fn(&S) -> Vec<Issue>) -> Self
    where
        F: Copy,
    {
        Self {
            functions: self.functions,
            own,
        }
    }
}

const fn nothing<S>(_: &S) -> Vec<Issue> {
    Vec::new()
}

/// A smoke test.
pub const fn smoke_test<S>(run: RunFn<S>) -> Plugin<S, RunFn<S>> {
    Plugin {
        functions: run,
        own: nothing,
    }
}

/// A traffic strategy.
pub const fn strategy<S>(plan: PlanFn<S>, judge: JudgeFn<S>) -> Plugin<S, (PlanFn<S>, JudgeFn<S>)> {
    Plugin {
        functions: (plan, judge),
        own: nothing,
    }
}

/// A notifier.
pub const fn notifier<S>(notify: NotifyFn<S>) -> Plugin<S, NotifyFn<S>> {
    Plugin {
        functions: notify,
        own: nothing,
    }
}

/// A metric provider.
pub const fn metrics<S>(evaluate: EvaluateFn<S>) -> Plugin<S, EvaluateFn<S>> {
    Plugin {
        functions: evaluate,
        own: nothing,
    }
}

/// An approval provider.
#[expect(
    clippy::type_complexity,
    reason = "four functions of one plugin, named in the aliases"
)]
pub const fn approval<S>(
    ask: AskFn<S>,
    poll: PollFn<S>,
    withdraw: WithdrawFn<S>,
    on_callback: CallbackFn<S>,
) -> Plugin<S, (AskFn<S>, PollFn<S>, WithdrawFn<S>, CallbackFn<S>)> {
    Plugin {
        functions: (ask, poll, withdraw, on_callback),
        own: nothing,
    }
}

impl<S: DeserializeOwned, F> Plugin<S, F> {
    /// `settings.validate`.
    pub fn issues(&self, text: &str) -> Vec<Issue> {
        settings::check(text, self.own)
    }
}

fn settings_of<S: DeserializeOwned>(call: &Call) -> Result<S, Error> {
    settings::of_call(&host::settings(call))
}

impl<S: DeserializeOwned> Plugin<S, RunFn<S>> {
    /// `smoke-test.run`.
    pub fn run(&self, call: &Call) -> Result<Report, Error> {
        let settings = settings_of(call)?;
        let mut test = SmokeTest::new(Client::new(Context::new(call)));
        match (self.functions)(&mut test, settings) {
            Ok(()) | Err(Stop::Reported) => Ok(test.report()),
            Err(Stop::Unable(error)) => Err(error),
        }
    }
}

impl<S: DeserializeOwned> Plugin<S, (PlanFn<S>, JudgeFn<S>)> {
    /// `traffic-strategy.plan`.
    pub fn plan(&self, call: &Call) -> Result<Vec<Step>, Error> {
        (self.functions.0)(&Context::new(call), settings_of(call)?)
    }

    /// `traffic-strategy.judge`.
    pub fn judge(
        &self,
        call: &Call,
        step: &Step,
        observations: &[Observation],
    ) -> Result<Judgement, Error> {
        (self.functions.1)(&Context::new(call), settings_of(call)?, step, observations)
    }
}

impl<S: DeserializeOwned> Plugin<S, NotifyFn<S>> {
    /// `notifier.notify`.
    pub fn notify(&self, call: &Call, event: &Event) -> Result<Option<String>, Error> {
        (self.functions)(&Client::new(Context::new(call)), settings_of(call)?, event)
    }
}

impl<S: DeserializeOwned> Plugin<S, EvaluateFn<S>> {
    /// `metric-provider.evaluate`.
    pub fn evaluate(&self, call: &Call, window: Window) -> Result<Measurement, Error> {
        (self.functions)(&Client::new(Context::new(call)), settings_of(call)?, window)
    }
}

impl<S: DeserializeOwned> Plugin<S, (AskFn<S>, PollFn<S>, WithdrawFn<S>, CallbackFn<S>)> {
    /// `approval-provider.ask`.
    pub fn ask(&self, call: &Call) -> Result<Status, Error> {
        (self.functions.0)(&Client::new(Context::new(call)), settings_of(call)?)
    }

    /// `approval-provider.poll`.
    pub fn poll(&self, call: &Call, ticket: &str) -> Result<Status, Error> {
        (self.functions.1)(&Client::new(Context::new(call)), settings_of(call)?, ticket)
    }

    /// `approval-provider.withdraw`.
    pub fn withdraw(&self, call: &Call, ticket: &str) -> Result<(), Error> {
        (self.functions.2)(&Client::new(Context::new(call)), settings_of(call)?, ticket)
    }

    /// `approval-provider.on-callback`.
    pub fn on_callback(
        &self,
        call: &Call,
        ticket: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Option<Status>, Error> {
        let client = Client::new(Context::new(call));
        (self.functions.3)(&client, settings_of(call)?, ticket, headers, body)
    }
}
