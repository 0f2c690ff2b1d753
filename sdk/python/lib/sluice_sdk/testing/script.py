"""The script: what the host would know, and which calls it expects."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Callable

from ..fault import NetError, Unable
from ..http import Request
from ..kinds import Plugin
from ..values import Chain, Level, Release, Workload
from .played import Played
from .reply import Reply


def _digest(digit: str) -> str:
    return f"sha256:{digit * 64}"


_RELEASE = Release(
    id="storefront-production-1",
    workload=Workload(
        cluster="test",
        namespace="shop",
        kind="Deployment",
        name="storefront",
        uid="00000000-0000-4000-8000-000000000001",
    ),
    from_revision=_digest("a"),
    to_revision=_digest("b"),
    images=[f"registry.example.com/shop/storefront@{_digest('b')}"],
    subject_digest=_digest("c"),
)


class Script:
    """A host that plays a script: the release of `storefront`, ten seconds, no calls."""

    def __init__(
        self,
        settings: Any = None,
        attributes: dict[str, str] | None = None,
        remaining_ms: int = 10_000,
        answer_with: Callable[[Request], Reply] | None = None,
        **release: Any,
    ) -> None:
        """`answer_with` answers every request with a function instead of a list; all further names
        change parts of the release."""
        self._settings = json.dumps({} if settings is None else settings)
        self._attributes = list((attributes or {}).items())
        self._remaining_ms = remaining_ms
        self._handler = answer_with
        self._release = replace(_RELEASE, **release)
        self._expected: list[tuple[str, Reply]] = []
        self._requests: list[Request] = []
        self._log: list[tuple[str, str]] = []
        self._broken: AssertionError | None = None

    def call(self, method: str, path: str, reply: Reply) -> Script:
        """Expects, as the next call, a request to the candidate."""
        return self.call_on("candidate", method, path, reply)

    def call_on(self, target: str, method: str, path: str, reply: Reply) -> Script:
        """Expects, as the next call, a request to this target."""
        self._expected.append((f"{method} {path} on {target}", reply))
        return self

    def look_at(self, target: str, reply: Reply) -> Script:
        """Expects, as the next call, a look at this target's certificates."""
        self._expected.append((f"certificate of {target}", reply))
        return self

    def run(self, plugin: Plugin) -> Played:
        """Plays a smoke test."""
        return self.play(plugin, "run")

    def play(self, plugin: Plugin, name: str, *given: Any) -> Played:
        """Plays any export: `play(plugin, "poll", "ticket")`."""
        answer, error = None, None
        try:
            answer = plugin.call(name, self, *given)
        except Unable as unable:
            error = unable
        # A broken script is the test's business, whatever the plugin made of it.
        if self._broken is not None:
            raise self._broken
        if self._expected:
            left = ", ".join(line for line, _ in self._expected)
            raise AssertionError(f"expected but never sent: {left}; the plugin: {error or answer}")
        if error is not None and error.__cause__ is not None:
            # A mistake of the author: a test shows its trace.
            raise error.__cause__
        return Played(answer, error, self._requests, self._log)

    # The host's side.

    def release(self) -> Release:
        return self._release

    def settings(self) -> str:
        return self._settings

    def remaining_ms(self) -> int:
        return self._remaining_ms

    def idempotency_key(self) -> str:
        return f"{self._release.id}/test"

    def attributes(self) -> list[tuple[str, str]]:
        return list(self._attributes)

    def log(self, level: Level, message: str, fields: list[tuple[str, str]]) -> None:
        self._log.append((level, message))

    def fetch(self, request: Request) -> tuple[int, list[tuple[str, str]], bytes, bool]:
        reply = self._next(str(request)) if self._handler is None else self._handler(request)
        self._requests.append(request)
        self._take(request.target, reply)
        return reply.status, list(reply.headers), reply.body, reply.truncated

    def inspect(self, target: str, timeout_ms: int | None) -> Chain:
        reply = self._next(f"certificate of {target}")
        self._take(target, reply)
        if reply.chain is None:
            raise AssertionError(f"the script answers `certificate of {target}` with a response")
        return reply.chain

    def _next(self, line: str) -> Reply:
        expected, reply = self._expected.pop(0) if self._expected else (None, Reply())
        if expected == line:
            return reply
        wanted = "no further call was expected" if expected is None else f"expected `{expected}`"
        self._broken = self._broken or AssertionError(f"{wanted}, the plugin sent `{line}`")
        raise self._broken

    def _take(self, target: str, reply: Reply) -> None:
        self._remaining_ms = max(0, self._remaining_ms - reply.takes_ms)
        if reply.silence is not None:
            case, value = reply.silence
            raise NetError(case, target, value)
