"""Counts the errors of both versions. The verdict is the agent's."""

from dataclasses import dataclass
from typing import Any

from sluice_sdk import (
    Client,
    Measurement,
    Request,
    Series,
    Unable,
    Window,
    metric_provider,
    setting,
)


@dataclass
class Settings:
    path: str = setting(description="Path of the page that counts.")


@metric_provider(Settings)
def plugin(client: Client, on: Settings, window: Window) -> Measurement:
    path = f"{on.path}?from={window.from_unix_ms}&to={window.to_unix_ms}"
    page = client.ask(Request.get(path).on("metrics")).json()
    # No series means no data: the agent waits. Zeroes would mean "no errors".
    series = [
        Series(role, events=count(page, role, "errors"), total=count(page, role, "total"))
        for role in ("stable", "candidate")
        if role in page
    ]
    return Measurement(series, f"{len(series)} of 2 versions have data")


def count(page: Any, role: str, key: str) -> int:
    """One number, as the metrics server writes it."""
    counts = page[role]
    value = counts.get(key) if isinstance(counts, dict) else None
    if type(value) is int and value >= 0:
        return value
    raise Unable.unavailable(f"{role}: `{key}` is no count")
