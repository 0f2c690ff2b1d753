"""What a plugin did and said under a script."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..fault import Unable
from ..http import Request
from ..values import Check, Report


@dataclass(frozen=True)
class Played:
    """The outcome of one scripted call."""

    result: Any
    #: Why the plugin could not do its job.
    error: Unable | None
    #: Every request that it sent, in order.
    requests: list[Request]
    #: Every line that it logged: level and message.
    log: list[tuple[str, str]]

    @property
    def answer(self) -> Any:
        """The answer. Fails the test when the plugin could not do its job."""
        if self.error is not None:
            raise AssertionError(f"the plugin could not do its job: {self.error.case}: {self.error}")
        return self.result

    @property
    def report(self) -> Report:
        """The report of a smoke test."""
        return self.answer

    def line(self, name: str) -> Check:
        """The line of this name. Fails the test when there is none."""
        for line in self.report.checks:
            if line.name == name:
                return line
        names = ", ".join(line.name for line in self.report.checks)
        raise AssertionError(f'the report has no line "{name}", only {names}')

    def sent(self, at: int = 0) -> Any:
        """The JSON body of the request of this number."""
        return json.loads(self.requests[at].body)
