"""The five kinds: what an author writes, and the exports of the contract that come of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Callable, Generic, TypeVar

from .client import Client, Context, Host
from .fault import NetError, Unable, unreached
from .settings import Issue, check, of_call, schema
from .smoke import Reported, SmokeTest
from .text import MESSAGE_CHARS, excerpt
from .values import Event, Judgement, Measurement, Observation, Report, Status, Step, Window

S = TypeVar("S")
Validate = Callable[[S], "list[Issue]"]


@dataclass(frozen=True)
class Plugin:
    """A plugin of one kind. `calls` are its exports, by their names in Python."""

    kind: str
    settings: type
    own: Callable[[Any], list[Issue]] | None
    calls: dict[str, Callable[..., Any]]

    def __post_init__(self) -> None:
        # Settings that cannot be described are the author's mistake: it shows before any call.
        schema(self.settings)

    @property
    def schema(self) -> dict[str, Any]:
        """For `settings.schema.json`."""
        return schema(self.settings)

    def validate(self, text: str) -> list[Issue]:
        """`settings.validate`."""
        return check(self.settings, self.own, text)

    def call(self, name: str, host: Host, *given: Any) -> Any:
        """One call. What is raised by mistake becomes an answer that names the line, and not a
        trap."""
        try:
            return self.calls[name](host, of_call(self.settings, host.settings()), *given)
        except Unable:
            raise
        except NetError as silence:
            raise unreached(silence) from None
        except Exception as error:
            why = f"the plugin raised {type(error).__name__}: {error} at {_where(error)}"
            raise Unable.other(excerpt(why, MESSAGE_CHARS)) from error


def _where(error: Exception) -> str:
    """The author's line. By hand: `traceback` would look for the source file, and a component has
    no files, not even to look in vain."""
    place = "an unknown place"
    at = error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        if "sluice_sdk/" not in code.co_filename:
            # In a component, paths begin with the number of the folder that it was built from.
            file = re.sub(r"^/[0-9]+/", "", code.co_filename)
            place = f"{file}:{at.tb_lineno}, in {code.co_name}"
        at = at.tb_next
    return place


def smoke_test(
    settings: type[S], validate: Validate[S] | None = None
) -> Callable[[Callable[[SmokeTest, S], None]], Plugin]:
    """A smoke test. Returning means "ran to its end", not "passed"."""

    def made(run: Callable[[SmokeTest, S], None]) -> Plugin:
        def call(host: Host, on: S) -> Report:
            t = SmokeTest(host)
            try:
                run(t, on)
            except Reported:
                pass
            return t.report()

        return Plugin("smoke-test", settings, validate, {"run": call})

    return made


def metric_provider(
    settings: type[S], validate: Validate[S] | None = None
) -> Callable[[Callable[[Client, S, Window], Measurement]], Plugin]:
    """A metric provider. The verdict is the agent's."""

    def made(evaluate: Callable[[Client, S, Window], Measurement]) -> Plugin:
        def call(host: Host, on: S, window: Window) -> Measurement:
            answer = evaluate(Client(host), on, window)
            return replace(answer, summary=excerpt(answer.summary, MESSAGE_CHARS))

        return Plugin("metric-provider", settings, validate, {"evaluate": call})

    return made


def notifier(
    settings: type[S], validate: Validate[S] | None = None
) -> Callable[[Callable[[Client, S, Event], "str | None"]], Plugin]:
    """A notifier. It answers an opaque thread reference, or nothing."""

    def made(notify: Callable[[Client, S, Event], str | None]) -> Plugin:
        def call(host: Host, on: S, event: Event) -> str | None:
            return notify(Client(host), on, event)

        return Plugin("notifier", settings, validate, {"notify": call})

    return made


class ApprovalProvider(Generic[S]):
    """What `approval_provider` is put on: a class with these methods."""

    def ask(self, client: Client, on: S) -> Status:
        """Opens a request and answers at once."""
        raise NotImplementedError

    def poll(self, client: Client, on: S, ticket: str) -> Status:
        """Looks after an open request."""
        raise NotImplementedError

    def withdraw(self, client: Client, on: S, ticket: str) -> None:
        """Takes an open request back."""
        raise NotImplementedError

    def on_callback(
        self, client: Client, on: S, ticket: str, headers: list[tuple[str, str]], body: bytes
    ) -> Status | None:
        """Reads a callback whose signature the host has verified. None: not about this ticket."""
        return None


def approval_provider(
    settings: type[S], validate: Validate[S] | None = None
) -> Callable[[type[ApprovalProvider[S]]], Plugin]:
    """An approval provider."""

    def made(provider: type[ApprovalProvider[S]]) -> Plugin:
        one = provider()
        calls: dict[str, Callable[..., Any]] = {
            "ask": lambda host, on: one.ask(Client(host), on),
            "poll": lambda host, on, ticket: one.poll(Client(host), on, ticket),
            "withdraw": lambda host, on, ticket: one.withdraw(Client(host), on, ticket),
            "on_callback": lambda host, on, *given: one.on_callback(Client(host), on, *given),
        }
        return Plugin("approval-provider", settings, validate, calls)

    return made


class TrafficStrategy(Generic[S]):
    """What `traffic_strategy` is put on: a class with these methods. Pure: no network."""

    def plan(self, context: Context, on: S) -> list[Step]:
        """Plans the whole rollout. Called once."""
        raise NotImplementedError

    def judge(
        self, context: Context, on: S, step: Step, observations: list[Observation]
    ) -> Judgement:
        """Judges a step that ran. Observations come oldest first."""
        raise NotImplementedError


def traffic_strategy(
    settings: type[S], validate: Validate[S] | None = None
) -> Callable[[type[TrafficStrategy[S]]], Plugin]:
    """A traffic strategy."""

    def made(strategy: type[TrafficStrategy[S]]) -> Plugin:
        one = strategy()
        calls: dict[str, Callable[..., Any]] = {
            "plan": lambda host, on: one.plan(Context(host), on),
            "judge": lambda host, on, *given: one.judge(Context(host), on, *given),
        }
        return Plugin("traffic-strategy", settings, validate, calls)

    return made
