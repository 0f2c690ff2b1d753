"""Between a component's imports and exports and what an author wrote. Not for plugin authors, and
imported by entry/ alone: `wit_world` is there in a component only."""

from __future__ import annotations

import dataclasses
import re
import time
from typing import Any, Callable, NoReturn

import componentize_py_types
from wit_world.exports import settings as contract_settings
from wit_world.imports import log, types

from .fault import NetError, Unable
from .http import Request
from .kinds import Plugin
from .values import Certificate, Chain, Level, Release, Workload


def _no_clock(*_: object) -> NoReturn:
    raise RuntimeError("a plugin has no clock: measure with remaining_ms")


# A plugin's world has none; without this, asking for one would end the call in a trap.
for _name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "sleep"):
    setattr(time, _name, _no_clock)


class Served:
    """One plugin behind the contract's exports."""

    def __init__(self, plugin: Any, kind: str, http: Any = None, tls: Any = None) -> None:
        made = plugin.kind if isinstance(plugin, Plugin) else type(plugin).__name__
        if made != kind:
            raise TypeError(f'plugin.py makes a {made}, but plugin.toml says kind = "{kind}"')
        self._plugin = plugin
        self._http = http
        self._tls = tls

    def validate(self, text: str) -> list[Any]:
        """`settings.validate`."""
        issues = self._plugin.validate(text)
        return [contract_settings.Issue(one.pointer, one.message, one.hint) for one in issues]

    def call(self, name: str, invocation: Any, *given: Any) -> Any:
        """One call; raises the contract's error as the component answers it."""
        host = _Host(invocation, self._http, self._tls)
        try:
            return self._plugin.call(name, host, *given)
        except Unable as error:
            raise componentize_py_types.Err(case(types, "Error", error.case)(error.value)) from None


def case(module: Any, variant: str, name: str) -> Any:
    """The class of a variant's case: `rate-limited` of `Error` is `Error_RateLimited`."""
    return getattr(module, f"{variant}_{name.title().replace('-', '')}")


def enum(kind: Any, name: str) -> Any:
    """A word of an enum, in the contract's spelling."""
    return kind[name.upper().replace("-", "_")]


def word(value: Any) -> str:
    """The contract's spelling of an enum's word."""
    return value.name.lower().replace("_", "-")


def plain(kind: type, record: Any, **others: Any) -> Any:
    """A record of the SDK with the fields of the contract's."""
    fields = {field.name: getattr(record, field.name) for field in dataclasses.fields(kind)}
    return kind(**{**fields, **others})


class _Host:
    def __init__(self, invocation: Any, http: Any, tls: Any) -> None:
        self._call = invocation
        self._http = http
        self._tls = tls

    def release(self) -> Release:
        release = self._call.release()
        return plain(Release, release, workload=plain(Workload, release.workload))

    def settings(self) -> str:
        return self._call.settings()

    def remaining_ms(self) -> int:
        return self._call.remaining_ms()

    def idempotency_key(self) -> str:
        return self._call.idempotency_key()

    def attributes(self) -> list[tuple[str, str]]:
        return self._call.attributes()

    def log(self, level: Level, message: str, fields: list[tuple[str, str]]) -> None:
        log.emit(enum(log.Level, level), message, fields)

    def fetch(self, request: Request) -> tuple[int, list[tuple[str, str]], bytes, bool]:
        wire = self._http.Request(
            request.target,
            request.method,
            request.path,
            request.headers,
            request.body,
            request.timeout_ms,
        )
        answer = _reached(request.target, lambda: self._http.fetch(wire))
        return answer.status, answer.headers, bytes(answer.body), answer.truncated

    def inspect(self, target: str, timeout_ms: int | None) -> Chain:
        chain = _reached(target, lambda: self._tls.inspect(target, timeout_ms))
        certificates = [plain(Certificate, one) for one in chain.certificates]
        return Chain(certificates, getattr(chain.verified, "value", None))


def _reached(target: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except componentize_py_types.Err as error:
        name = type(error.value).__name__.removeprefix("NetError_")
        spelled = re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
        raise NetError(spelled, target, getattr(error.value, "value", None)) from None
