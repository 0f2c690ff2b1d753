"""A smoke test that reads like one."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, TypeVar, Union

from .client import Client, Host
from .examination import Examination
from .fault import NetError
from .http import Request, Response
from .text import MESSAGE_CHARS, excerpt
from .values import Chain, Check, Outcome, Report

#: Most lines in one report. What comes later is counted in the last line.
MAX_CHECKS = 100

# The best first. Skipped does not outweigh a pass: it stands in the report beside it.
_RANK: tuple[Outcome, ...] = ("skipped", "pass", "inconclusive", "fail")

_Answer = TypeVar("_Answer")
_Line = Union[Check, "tuple[str, Examination]"]


class Reported(Exception):
    """Ends a test whose reason is already a line of the report. Not for authors to catch."""


class SmokeTest(Client):
    """One run of a smoke test: sends requests, collects lines, makes the report."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._lines: list[_Line] = []

    def get(self, path: str) -> Response:
        """`GET path` on the candidate."""
        return self.request(Request.get(path))

    def request(self, request: Request) -> Response:
        """Sends any request. No answer is a line of the report (see `no_answer`) and ends the test;
        to go on after it, use `send`."""
        return self._or_reported(str(request), request.target, lambda: self.send(request))

    def certificates(self, target: str, timeout_ms: int | None = None) -> Chain:
        """Looks at the certificates of a target. No chain is a line of the report and ends the
        test."""
        name = f"certificate of {target}"
        return self._or_reported(name, target, lambda: self.inspect_tls(target, timeout_ms))

    def _or_reported(self, name: str, target: str, call: Callable[[], _Answer]) -> _Answer:
        before = self.remaining_ms
        try:
            return call()
        except NetError as error:
            left = self.remaining_ms
            outcome, message = no_answer(error, target, left)
            self.record(name, outcome, message, max(0, before - left))
            raise Reported(message) from None

    def check(self, name: str, response: Response) -> Examination:
        """Begins a line of the report about one response. It passes when everything that is said
        about the response holds; a line that says nothing is inconclusive."""
        examination = Examination(response)
        self._lines.append((name, examination))
        return examination

    def record(self, name: str, outcome: Outcome, message: str, elapsed_ms: int = 0) -> None:
        """Adds a line of the test's own making."""
        self._lines.append(Check(name, outcome, message, elapsed_ms))

    def skip(self, name: str, why: str) -> None:
        """Adds a line that says why something was not tested."""
        self.record(name, "skipped", why)

    def report(self) -> Report:
        """The report. A failed check makes it fail, an inconclusive one makes it inconclusive; it
        passes when something passed and the rest was skipped."""
        # Only now, because a line goes on until the end of its statement.
        checks = _bounded([_finished(line) for line in self._lines])
        if not checks:
            return Report("inconclusive", "the test checked nothing", [])
        outcome = _worst(checks)
        return Report(outcome, excerpt(_summary(outcome, checks), MESSAGE_CHARS), checks)


def _finished(line: _Line) -> Check:
    if isinstance(line, Check):
        name, outcome, message, elapsed_ms = line.name, line.outcome, line.message, line.elapsed_ms
    else:
        name, examination = line
        outcome, message = examination.verdict()
        elapsed_ms = examination.response.elapsed_ms
    cut = excerpt(message, MESSAGE_CHARS)
    return Check(excerpt(name, MESSAGE_CHARS), outcome, cut, elapsed_ms)


def _bounded(lines: list[Check]) -> list[Check]:
    """The verdict must not depend on lines that found no room."""
    if len(lines) <= MAX_CHECKS:
        return lines
    rest = lines[MAX_CHECKS - 1 :]
    name = f"{len(rest)} further checks, the worst"
    return [*lines[: MAX_CHECKS - 1], replace(rest[0], name=name, outcome=_worst(rest))]


def _worst(lines: list[Check]) -> Outcome:
    return max((line.outcome for line in lines), key=_RANK.index)


def _summary(outcome: Outcome, checks: list[Check]) -> str:
    outcomes = [line.outcome for line in checks]
    first = checks[outcomes.index(outcome)]
    if outcome == "skipped":
        return f"nothing tested: {first.message}"
    skipped = outcomes.count("skipped")
    skips = f", {skipped} skipped" if skipped else ""
    score = f"{outcomes.count('pass')} of {len(checks)} checks passed{skips}"
    return score if outcome == "pass" else f"{score}; {first.name}: {first.message}"


def no_answer(error: NetError, target: str, left_ms: int) -> tuple[Outcome, str]:
    """What it says about the release that there was no answer.

    A target that refuses, hangs or talks nonsense is broken, if it is the one under test:
    `candidate`, or `service`, which is what users get. The same trouble with another target, and
    everything that the host refused or ran out of, says nothing about the candidate. `left_ms` is
    what is left of the call: a time-out at its end may be the call's own.
    """
    if error.case == "timeout" and left_ms == 0:
        return "inconclusive", "the time of the whole call ran out while waiting"
    broken = error.case in ("connect", "tls", "protocol", "timeout")
    tested = target in ("candidate", "service")
    return ("fail" if broken and tested else "inconclusive"), str(error)
