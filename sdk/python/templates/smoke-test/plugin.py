"""Asks the new version whether it is healthy."""

from dataclasses import dataclass

from sluice_sdk import SmokeTest, setting, smoke_test


@dataclass
class Settings:
    path: str = setting("/health", "Path of the page that says how the service is.")
    max_ms: int = setting(
        1000, "The page has to answer within this time, in milliseconds.", minimum=0
    )


@smoke_test(Settings)
def plugin(t: SmokeTest, on: Settings) -> None:
    answer = t.get(on.path)
    t.check("health", answer).status(200).json("/status", "ok").faster_than(on.max_ms)
