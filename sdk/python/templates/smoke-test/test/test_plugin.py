import unittest

from plugin import plugin
from sluice_sdk.testing import Played, Reply, Script


def health(reply: Reply) -> Played:
    return Script().call("GET", "/health", reply).run(plugin)


class Plugin(unittest.TestCase):
    def test_a_healthy_page_passes(self) -> None:
        self.assertEqual(health(Reply.json(200, {"status": "ok"})).report.outcome, "pass")

    def test_a_lying_health_page_fails_and_the_report_says_what_came(self) -> None:
        played = health(Reply.json(200, {"status": "failing"}))
        self.assertEqual(played.report.outcome, "fail")
        self.assertIn('came "failing"', played.line("health").message)
