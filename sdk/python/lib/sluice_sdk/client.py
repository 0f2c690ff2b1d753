"""What a call is about, and HTTP for the kinds that have it."""

from __future__ import annotations

from typing import Protocol

from .fault import NetError, unreached
from .http import Request, Response
from .values import Chain, Level, Release


class Host(Protocol):
    """The host's side of one call, as the component imports it or as a script in a test plays it.
    Network calls raise `NetError`."""

    def release(self) -> Release: ...
    def settings(self) -> str: ...
    def remaining_ms(self) -> int: ...
    def idempotency_key(self) -> str: ...
    def attributes(self) -> list[tuple[str, str]]: ...
    def log(self, level: Level, message: str, fields: list[tuple[str, str]]) -> None: ...
    def fetch(self, request: Request) -> tuple[int, list[tuple[str, str]], bytes, bool]: ...
    def inspect(self, target: str, timeout_ms: int | None) -> Chain: ...


class Context:
    """The call in progress: what it is about, how long it may take, and a log."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @property
    def release(self) -> Release:
        """The release that the call is about."""
        return self._host.release()

    @property
    def remaining_ms(self) -> int:
        """Milliseconds until the host ends the call. Zero: finish at once."""
        return self._host.remaining_ms()

    @property
    def idempotency_key(self) -> str:
        """The same for every repetition of the same call, also after a restart of the agent."""
        return self._host.idempotency_key()

    @property
    def attributes(self) -> list[tuple[str, str]]:
        """Further facts, such as `environment`. A name may occur more than once."""
        return self._host.attributes()

    def attribute(self, name: str) -> str | None:
        """The first attribute of this name."""
        return next((value for key, value in self.attributes if key == name), None)

    def has_secret(self, name: str) -> bool:
        """Whether the secret is granted and holds a value. A host that does not tell (no attribute
        `secrets`) is taken to have it: the call then shows."""
        names = self.attribute("secrets")
        return names is None or name in (known.strip() for known in names.split(","))

    def log(self, level: Level, message: str, **fields: object) -> None:
        """Writes a line to the agent's log."""
        self._host.log(level, message, [(key, str(value)) for key, value in fields.items()])


class Client(Context):
    """A `Context` that can also speak HTTP to granted targets."""

    def send(self, request: Request) -> Response:
        """Sends one request and waits for the whole response. Redirects are not followed. Raises
        `NetError` when there is no answer."""
        before = self.remaining_ms
        status, headers, body, truncated = self._host.fetch(request)
        # The host's own countdown is the clock: a plugin has no other.
        elapsed_ms = max(0, before - self.remaining_ms)
        return Response(str(request), status, headers, body, truncated, elapsed_ms)

    def ask(self, request: Request) -> Response:
        """Sends one request to a server that the plugin needs, and wants a status from 200 to 299.
        (A smoke test, which judges answers, has `request`.) No answer, or one with another status,
        raises the `Unable` that fits."""
        try:
            return self.send(request).accepted()
        except NetError as silence:
            raise unreached(silence) from None

    def inspect_tls(self, target: str, timeout_ms: int | None = None) -> Chain:
        """Looks at the certificates of a target. Raises `NetError`."""
        return self._host.inspect(target, timeout_ms)
