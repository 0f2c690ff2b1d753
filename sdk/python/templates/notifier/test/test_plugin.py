import unittest

from plugin import plugin
from sluice_sdk import Event
from sluice_sdk.testing import Played, Reply, Script


def told(reply: Reply) -> Played:
    script = Script(settings={"channel": "#deploys"})
    script.call_on("chat", "POST", "/api/messages", reply)
    return script.play(plugin, "notify", Event("1", "done", "info", "done"))


class Plugin(unittest.TestCase):
    def test_the_first_message_of_a_rollout_begins_a_thread(self) -> None:
        played = told(Reply.json(200, {"thread": "1700.01"}))
        self.assertEqual(played.answer, "1700.01")
        self.assertEqual(played.sent(), {"channel": "#deploys", "text": "done"})

    def test_a_chat_that_asks_for_patience_gets_it(self) -> None:
        error = told(Reply(429).header("retry-after", "30")).error
        self.assertEqual((error.case, error.value), ("rate-limited", 30_000))
