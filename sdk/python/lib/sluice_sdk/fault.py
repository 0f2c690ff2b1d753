"""Why a plugin, or a request, gave no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .http import Response

#: How long to wait when asked for patience without a time, in milliseconds.
_PATIENCE_MS = 30_000

#: Longest time that the contract can carry, in milliseconds.
_MAX_MS = 0xFFFF_FFFF


class Unable(Exception):
    """The plugin could not do its job. Never a verdict: verdicts are data. Raise one where the work
    cannot go on; its case is the contract's `error`, and tells the host whether to try again."""

    def __init__(self, case: str, value: str | int) -> None:
        super().__init__(f"{value} ms" if isinstance(value, int) else value)
        #: The contract's case, such as `rate-limited`.
        self.case = case
        self.value = value

    @classmethod
    def invalid_config(cls, why: str) -> Unable:
        """The settings cannot work, for a reason that only the call could show."""
        return cls("invalid-config", why)

    @classmethod
    def unavailable(cls, why: str) -> Unable:
        """The other side cannot be reached, or answers with a fault of its own. Worth a retry."""
        return cls("unavailable", why)

    @classmethod
    def rate_limited(cls, ms: int) -> Unable:
        """The other side asks for patience, in milliseconds."""
        return cls("rate-limited", min(_MAX_MS, max(0, ms)))

    @classmethod
    def denied(cls, why: str) -> Unable:
        """The other side, or the host, refuses. Repeating the call is useless."""
        return cls("denied", why)

    @classmethod
    def other(cls, why: str) -> Unable:
        """Anything else."""
        return cls("other", why)


class NetError(Exception):
    """A network call without an answer. `case` and `value` are the contract's `net-error`."""

    def __init__(self, case: str, target: str, value: str | int | None = None) -> None:
        super().__init__(_words(case, target, value))
        self.case = case
        self.value = value
        self.target = target


def _words(case: str, target: str, value: str | int | None) -> str:
    words = {
        "connect": f"no connection: {value}",
        "tls": f"no TLS connection: {value}",
        "protocol": f"no valid HTTP answer: {value}",
        "timeout": "no whole answer in time",
        "not-granted": f"the plugin may not send this: {value}",
        "resolve": f"target `{target}` has no usable address: {value}",
        "too-large": f"the request is larger than the limit of {value} bytes",
        "quota": "the call's budget of requests is used up: raise `limits.requests` in the grant",
    }
    return words.get(case, f"no answer: {value}")


def unreached(silence: NetError) -> Unable:
    """What the silence of a server means for a plugin that needs it: a grant is a person's to
    change, a budget too, and the rest is an outage."""
    target, value = silence.target, silence.value
    if silence.case == "not-granted":
        why = f"the grant does not let the plugin speak to {target}: {value}"
        return Unable.denied(f"{why}; see plugins.yaml, target `{target}`")
    if silence.case == "quota":
        return Unable.other(str(silence))
    if silence.case == "too-large":
        return Unable.other(f"the request to {target} is larger than the limit of {value} bytes")
    outages = {
        "resolve": f"the address of {target} does not resolve, or is denied: {value}",
        "connect": f"no connection to {target}: {value}",
        "tls": f"no TLS connection to {target}: {value}",
        "timeout": f"{target} did not answer in time",
        "protocol": f"no valid answer of {target}: {value}",
    }
    return Unable.unavailable(outages.get(silence.case, f"no answer of {target}: {value}"))


def patience_ms(response: Response) -> int:
    """For how long an answer asks, in milliseconds. `Retry-After` is in seconds; a date, or
    nothing, counts as half a minute."""
    seconds = (response.header("retry-after") or "").strip()
    is_short = seconds.isascii() and seconds.isdigit() and len(seconds) <= 10
    if is_short and int(seconds) <= _MAX_MS:
        return min(_MAX_MS, int(seconds) * 1000)
    return _PATIENCE_MS
