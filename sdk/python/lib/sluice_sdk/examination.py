"""What is said about one response, and whether it holds."""

from __future__ import annotations

from typing import Any

from .fault import Unable
from .http import Response
from .pointer import NOTHING, equal, find, show
from .text import excerpt
from .values import Outcome

#: Most failures in one message. More would hide the first.
_MAX_FAILURES = 5


class Examination:
    """Assertions about one response. Each says what was expected and what came."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self._held: list[str] = []
        self._broken: list[str] = []

    def status(self, *codes: int) -> Examination:
        """The status is this one, or one of these."""
        came = self.response.status
        wanted = " or ".join(map(str, codes))
        return self.that(
            came in codes, f"status {came}", f"expected status {wanted}, came {came}"
        )

    def json(self, place: str, value: Any) -> Examination:
        """The JSON value at this pointer (`/a/b`) or top-level key (`a`) is this one."""
        try:
            came = find(self.response.json(), place)
        except Unable as error:
            return self.that(False, "", f"expected JSON: {error}")
        wanted = excerpt(show(value))
        wrong = f"expected {place} to be {wanted}"
        if came is NOTHING:
            return self.that(False, "", f"{wrong}, but it is not there")
        failure = f"{wrong}, came {excerpt(show(came))}"
        return self.that(equal(came, value), f"{place} is {wanted}", failure)

    def contains(self, text: str) -> Examination:
        """The body contains this text."""
        shown = excerpt(text)
        cut = " in the part of the body that was read" if self.response.truncated else ""
        return self.that(
            text in self.response.text(),
            f'contains "{shown}"',
            f'expected the text "{shown}"{cut}, it is missing',
        )

    def lacks(self, text: str) -> Examination:
        """The body does not contain this text."""
        shown = excerpt(text)
        return self.that(
            text not in self.response.text(),
            f'lacks "{shown}"',
            f'the text "{shown}" must not occur, but does',
        )

    def header(self, name: str, value: str) -> Examination:
        """The header has this value; a `*` at the end stands for any ending."""
        came = self.response.header(name)
        wrong = f"expected header {name}: {value}"
        if came is None:
            return self.that(False, "", f"{wrong}, but it is not there")
        matches = came.startswith(value[:-1]) if value.endswith("*") else came == value
        return self.that(matches, f"{name}: {value}", f"{wrong}, came {excerpt(came)}")

    def faster_than(self, ms: int) -> Examination:
        """The whole response took less than this, in milliseconds."""
        took = self.response.elapsed_ms
        failure = f"expected an answer in less than {ms} ms, it took {took} ms"
        return self.that(took < ms, f"{took} ms", failure)

    def that(self, holds: bool, what: str, failure: str) -> Examination:
        """Anything else: whether it holds, what to say then, and what to say when it does not."""
        if holds:
            self._held.append(what)
        else:
            self._broken.append(failure)
        return self

    def verdict(self) -> tuple[Outcome, str]:
        """The verdict, and a message that says which request, what was expected and what came."""
        request = self.response.request
        if not self._broken:
            if not self._held:
                return "inconclusive", f"{request}: nothing was expected of it"
            return "pass", f"{request}: {', '.join(self._held)}"
        shown = "; ".join(self._broken[:_MAX_FAILURES])
        hidden = len(self._broken) - _MAX_FAILURES
        more = f"; and {hidden} more" if hidden > 0 else ""
        text = excerpt(self.response.text())
        body = f"body: {text}" if text else "the body is empty"
        return "fail", f"{request}: {shown}{more}; {body}"
