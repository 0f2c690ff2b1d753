import unittest
from typing import Any

from plugin import plugin
from sluice_sdk import Series, Window
from sluice_sdk.testing import Played, Reply, Script


def counted(page: Any) -> Played:
    return (
        Script(settings={"path": "/counts"})
        .call_on("metrics", "GET", "/counts?from=0&to=60000", Reply.json(200, page))
        .play(plugin, "evaluate", Window(0, 60_000))
    )


class Plugin(unittest.TestCase):
    def test_a_role_without_data_has_no_series(self) -> None:
        answer = counted({"stable": {"errors": 3, "total": 10}}).answer
        self.assertEqual(answer.series, [Series("stable", events=3, total=10)])

    def test_what_is_no_count_is_an_error_and_never_numbers(self) -> None:
        for errors in (-1, "3", True, None):
            error = counted({"stable": {"errors": errors, "total": 10}}).error
            self.assertEqual(error.case, "unavailable", errors)
