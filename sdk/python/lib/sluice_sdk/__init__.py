"""What the author of a Sluice plugin in Python imports. A smoke test reads like a test:

    from dataclasses import dataclass
    from sluice_sdk import SmokeTest, smoke_test

    @dataclass
    class Settings:
        path: str = "/health"

    @smoke_test(Settings)
    def plugin(t: SmokeTest, on: Settings) -> None:
        answer = t.get(on.path)
        t.check("health", answer).status(200).json("/status", "ok")

The contract is `wit/`; README.md has the rest.
"""

from .client import Client, Context
from .examination import Examination
from .fault import NetError, Unable
from .http import Request, Response
from .kinds import (
    ApprovalProvider,
    Plugin,
    TrafficStrategy,
    approval_provider,
    metric_provider,
    notifier,
    smoke_test,
    traffic_strategy,
)
from .pointer import find as find_json
from .settings import Issue, setting
from .smoke import SmokeTest, no_answer
from .text import excerpt
from .values import (
    Certificate,
    Chain,
    Check,
    Decided,
    Event,
    Expired,
    Hold,
    Measurement,
    Observation,
    Pending,
    Proceed,
    Release,
    Report,
    Rollback,
    Series,
    Step,
    Window,
    Workload,
)

__all__ = [
    "ApprovalProvider",
    "Certificate",
    "Chain",
    "Check",
    "Client",
    "Context",
    "Decided",
    "Event",
    "Examination",
    "Expired",
    "Hold",
    "Issue",
    "Measurement",
    "NetError",
    "Observation",
    "Pending",
    "Plugin",
    "Proceed",
    "Release",
    "Report",
    "Request",
    "Response",
    "Rollback",
    "Series",
    "SmokeTest",
    "Step",
    "TrafficStrategy",
    "Unable",
    "Window",
    "Workload",
    "approval_provider",
    "excerpt",
    "find_json",
    "metric_provider",
    "no_answer",
    "notifier",
    "setting",
    "smoke_test",
    "traffic_strategy",
]
