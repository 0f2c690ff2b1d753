import math
import unittest
from typing import Any

from plugin import plugin
from sluice_sdk import Hold, Observation, Proceed, Rollback, Step
from sluice_sdk.testing import Script

STEP = Step("10 %", 1000, hold_ms=60_000)


def judged(*seen: Observation) -> Any:
    return Script().play(plugin, "judge", STEP, list(seen)).answer


class Plugin(unittest.TestCase):
    def test_the_last_step_is_promotion(self) -> None:
        steps = Script(settings={"percent": [10]}).play(plugin, "plan").answer
        self.assertEqual([step.weight_bp for step in steps], [1000, 10_000])

    def test_no_number_at_all_counts_as_too_many_errors(self) -> None:
        def after(rate: float) -> Any:
            return judged(Observation(60_000, 1000, True, [("error-rate", rate)]))

        self.assertIsInstance(after(math.nan), Rollback)
        self.assertEqual(after(0.0), Proceed())
        self.assertEqual(judged(), Hold(60_000))

    def test_steps_that_do_not_rise_are_refused(self) -> None:
        self.assertEqual(plugin.validate('{"percent": [50, 10]}')[0].pointer, "/percent")
        self.assertEqual(plugin.validate('{"percent": [10, 100]}')[0].pointer, "/percent/1")
