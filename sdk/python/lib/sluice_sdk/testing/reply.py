"""What a scripted target answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from ..values import Chain


@dataclass(frozen=True)
class Reply:
    """An answer to one request, and the time it takes."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    truncated: bool = False
    takes_ms: int = 1
    #: The contract's `net-error`: case and value. No response, then.
    silence: tuple[str, str | int | None] | None = None
    chain: Chain | None = None

    @classmethod
    def json(cls, status: int, value: Any) -> Reply:
        """A response with a JSON body."""
        made = cls(status, body=json.dumps(value, ensure_ascii=False).encode())
        return made.header("content-type", "application/json")

    @classmethod
    def text(cls, status: int, text: str) -> Reply:
        """A response with a text body."""
        return cls(status, body=text.encode()).header("content-type", "text/plain; charset=utf-8")

    @classmethod
    def error(cls, case: str, value: str | int | None = None) -> Reply:
        """No response: `Reply.error("timeout")`, `Reply.error("connect", "refused")`."""
        return cls(silence=(case, value))

    @classmethod
    def certificates(cls, chain: Chain) -> Reply:
        """Certificates, for a look at TLS."""
        return cls(chain=chain)

    def header(self, name: str, value: str) -> Reply:
        """The same with one more header."""
        return replace(self, headers=[*self.headers, (name.lower(), value)])

    def after_ms(self, ms: int) -> Reply:
        """The same, but it takes so many milliseconds: one, unless said otherwise."""
        return replace(self, takes_ms=ms)
