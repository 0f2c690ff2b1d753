"""Takes traffic over in steps, and back when errors rise. Pure: the same input, the same answer."""

from dataclasses import dataclass

from sluice_sdk import (
    Context,
    Hold,
    Issue,
    Observation,
    Proceed,
    Rollback,
    Step,
    TrafficStrategy,
    setting,
    traffic_strategy,
)


@dataclass
class Settings:
    percent: list[int] = setting(
        [5, 25, 50],
        "The share of traffic in each step, in percent, rising. The step to 100 comes by itself.",
        items={"minimum": 0, "maximum": 99},
    )
    hold_seconds: int = setting(300, "How long each step is watched, in seconds.", minimum=0)
    max_error_rate: float = setting(
        0.01,
        "The sample `error-rate` may be as high as this, from 0 to 1.",
        minimum=0,
        maximum=1,
    )


def check(on: Settings) -> list[Issue]:
    """What the fields cannot say about the settings."""
    if on.percent == sorted(set(on.percent)):
        return []
    return [Issue("/percent", "must rise, and stay below 100", "such as [5, 25, 50]")]


@traffic_strategy(Settings, validate=check)
class plugin(TrafficStrategy[Settings]):
    def plan(self, context: Context, on: Settings) -> list[Step]:
        hold_ms = on.hold_seconds * 1000
        steps = [Step(f"{percent} %", percent * 100, hold_ms=hold_ms) for percent in on.percent]
        return [*steps, Step("100 %", 10_000)]

    def judge(
        self, context: Context, on: Settings, step: Step, observations: list[Observation]
    ) -> Proceed | Hold | Rollback:
        if not observations:
            return Hold(step.hold_ms)
        last = observations[-1]
        if not last.healthy:
            return Rollback("the new version is not healthy")
        for name, rate in last.samples:
            # So that no number at all counts as too many errors.
            if name == "error-rate" and not rate <= on.max_error_rate:
                most = on.max_error_rate
                return Rollback(f"the error rate is {rate}, at most {most} is allowed")
        rest = step.hold_ms - last.elapsed_ms
        return Hold(rest) if rest > 0 else Proceed()
