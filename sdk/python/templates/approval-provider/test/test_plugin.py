import unittest

from plugin import plugin
from sluice_sdk import Pending
from sluice_sdk.testing import Reply, Script


def script() -> Script:
    return Script(settings={"board": "changes"})


class Plugin(unittest.TestCase):
    def test_the_board_asks_once_whatever_is_repeated(self) -> None:
        asked = script().call_on("board", "POST", "/requests", Reply.json(201, {"id": "CHG-7"}))
        played = asked.play(plugin, "ask")
        self.assertEqual(played.answer, Pending("CHG-7"))
        key = ("idempotency-key", "storefront-production-1/test")
        self.assertIn(key, played.requests[0].headers)

    def test_a_decision_names_what_the_person_saw(self) -> None:
        reply = Reply.json(200, {"state": "approved", "subject": "sha256:old"})
        polled = script().call_on("board", "GET", "/requests/CHG-7", reply)
        answer = polled.play(plugin, "poll", "CHG-7").answer
        self.assertEqual(answer.subject_digest, "sha256:old")

    def test_a_callback_about_another_request_is_not_ours(self) -> None:
        for body in (b"?", b"[]", b'{"id": "CHG-8", "state": "approved"}'):
            played = script().play(plugin, "on_callback", "CHG-7", [], body)
            self.assertIsNone(played.answer)
