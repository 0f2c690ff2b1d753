"""One request and one response."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .fault import Unable, patience_ms
from .text import excerpt


@dataclass
class Request:
    """A request under construction. The target is a name; the host knows the address."""

    method: str
    path: str
    #: `candidate` (each Ready pod of the new version), `stable`, `service`, or a granted name.
    target: str = "candidate"
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    #: The plugin's own limit in milliseconds; the host has its own.
    timeout_ms: int | None = None

    @classmethod
    def get(cls, path: str) -> Request:
        return cls("GET", path)

    @classmethod
    def post(cls, path: str) -> Request:
        return cls("POST", path)

    @classmethod
    def delete(cls, path: str) -> Request:
        return cls("DELETE", path)

    def on(self, target: str) -> Request:
        """Another target: `stable`, `service`, or a name from the grant."""
        self.target = target
        return self

    def header(self, name: str, value: str) -> Request:
        """Adds a header. `${secret:NAME}` and `${hmac-sha256:NAME}` are expanded by the host."""
        self.headers.append((name, value))
        return self

    def bearer(self, secret: str) -> Request:
        """Adds `authorization: Bearer` with a secret that the host fills in. The plugin never sees
        it."""
        return self.header("authorization", f"Bearer ${{secret:{secret}}}")

    def text(self, body: str | bytes) -> Request:
        """Sets the body."""
        self.body = body.encode() if isinstance(body, str) else body
        return self

    def json(self, value: Any) -> Request:
        """Sets a JSON body and its content type."""
        self.header("content-type", "application/json; charset=utf-8")
        return self.text(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    def within_ms(self, ms: int) -> Request:
        """Sets the plugin's own limit."""
        self.timeout_ms = ms
        return self

    def __str__(self) -> str:
        return f"{self.method} {self.path} on {self.target}"


@dataclass
class Response:
    """A response, whole."""

    #: The request that it answers, for messages: `GET /health on candidate`.
    request: str
    status: int
    #: Names in lower case.
    headers: list[tuple[str, str]]
    #: As sent.
    body: bytes
    #: Whether the host cut the body.
    truncated: bool
    #: From the request to the last byte, in milliseconds.
    elapsed_ms: int

    def header(self, name: str) -> str | None:
        """The first header of this name."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def text(self) -> str:
        """The body as text. Bytes that are not UTF-8 become replacement characters."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON. Raises `Unable` (unavailable) that says why it is none."""
        try:
            return json.loads(self.text())
        except ValueError as error:
            if self.truncated:
                why = "the body is longer than the host reads, so it is no whole JSON"
            else:
                why = f"the body is no JSON: {error}"
            raise Unable.unavailable(why) from None

    def accepted(self) -> Response:
        """Itself, if the status is from 200 to 299. Otherwise raises the `Unable` that says what
        another status means for a plugin that needed the answer."""
        if 200 <= self.status < 300:
            return self
        if self.status == 429:
            raise Unable.rate_limited(patience_ms(self))
        body = excerpt(self.text())
        told = f"{self.request} answered with status {self.status}{f': {body}' if body else ''}"
        if self.status in (401, 403):
            raise Unable.denied(told)
        if self.status in (404, 405):
            raise Unable.invalid_config(told)
        raise Unable.unavailable(told) if self.status >= 500 else Unable.other(told)
