"""The contract's records, in Python's spelling. Outcomes, roles and severities are its words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Union

Outcome = Literal["pass", "fail", "inconclusive", "skipped"]
Role = Literal["stable", "candidate"]
Severity = Literal["info", "warning", "critical"]
Level = Literal["trace", "debug", "info", "warn", "error"]


@dataclass(frozen=True)
class Workload:
    """The workload that a call is about."""

    cluster: str
    namespace: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True)
class Release:
    """The release that a call is about."""

    id: str
    workload: Workload
    from_revision: str | None
    to_revision: str
    images: list[str]
    #: Digest of all that an approver saw.
    subject_digest: str


@dataclass(frozen=True)
class Check:
    """One line of a report."""

    name: str
    outcome: Outcome
    message: str
    elapsed_ms: int


@dataclass(frozen=True)
class Report:
    """What a smoke test answers."""

    outcome: Outcome
    summary: str
    checks: list[Check]


@dataclass(frozen=True)
class Window:
    """A span of time, in milliseconds since 1970. The end is not part of it."""

    from_unix_ms: int
    to_unix_ms: int


@dataclass(frozen=True)
class Series:
    """One version's numbers: events among how many, and a value that is no ratio of counts."""

    role: Role
    events: int = 0
    total: int = 0
    value: float | None = None


@dataclass(frozen=True)
class Measurement:
    """What a metric provider answers. A role without data has no series."""

    series: list[Series]
    summary: str


@dataclass(frozen=True)
class Pending:
    """Open, under a ticket of the plugin's own: at most 4 KiB."""

    ticket: str


@dataclass(frozen=True)
class Decided:
    """Somebody decided. The digest is what that person saw, never what the release says."""

    approved: bool
    approver: str
    subject_digest: str
    reason: str = ""


@dataclass(frozen=True)
class Expired:
    """The other side gave up on it."""


Status = Union[Pending, Decided, Expired]


@dataclass(frozen=True)
class Step:
    """One step of a plan. The last one has 10000 basis points, which is promotion."""

    name: str
    weight_bp: int
    capacity_replicas: int | None = None
    hold_ms: int = 0
    checks: bool = True
    gate: str | None = None


@dataclass(frozen=True)
class Observation:
    """What was seen at one moment of a step."""

    elapsed_ms: int
    weight_bp: int
    healthy: bool
    samples: list[tuple[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Proceed:
    """On to the next step, once the host's own checks and gates agree."""


@dataclass(frozen=True)
class Hold:
    """Look again after so many milliseconds."""

    ms: int


@dataclass(frozen=True)
class Rollback:
    """Put the stable version back, for this reason."""

    why: str


Judgement = Union[Proceed, Hold, Rollback]


@dataclass(frozen=True)
class Event:
    """What happened. The same id is the same event."""

    id: str
    kind: str
    severity: Severity
    title: str
    body: str = ""
    links: list[tuple[str, str]] = field(default_factory=list)
    thread: str | None = None


@dataclass(frozen=True)
class Certificate:
    """One certificate."""

    subject: str
    issuer: str
    not_after_unix_ms: int


@dataclass(frozen=True)
class Chain:
    """What a target presented, the leaf first; and why it does not verify, if it does not."""

    certificates: list[Certificate]
    problem: str | None
