import json
import unittest
from dataclasses import dataclass, field
from typing import Any, Callable, Literal

from sluice_sdk import (
    Client,
    Event,
    Examination,
    Issue,
    Request,
    Response,
    Unable,
    excerpt,
    find_json,
    notifier,
    setting,
)
from sluice_sdk.pointer import NOTHING, equal, show
from sluice_sdk.settings import check, of_call, schema
from sluice_sdk.testing import Reply, Script


@dataclass
class Inner:
    size: int = setting(minimum=0, maximum=255)


@dataclass
class Outer:
    items: list[Inner] = field(default_factory=list)


@dataclass
class Words:
    path: str = setting("/", pattern="^/")
    mode: Literal["a", "b"] = "a"
    max_ms: int = setting(5, "How long.", minimum=1)
    rate: float = setting(0.5, maximum=1)
    names: list[str] = setting([], items={"minLength": 1}, maxItems=2)
    note: str | None = None
    flag: bool = False


def response(**parts: Any) -> Response:
    whole = {
        "request": "GET / on candidate",
        "status": 200,
        "headers": [],
        "body": b"{}",
        "truncated": False,
        "elapsed_ms": 1,
    }
    return Response(**{**whole, **parts})


class Parts(unittest.TestCase):
    def test_long_text_is_cut_and_control_characters_cannot_forge_lines(self) -> None:
        self.assertEqual(excerpt("äöüäöü", 3), "äöü…")
        self.assertEqual(excerpt("ab cd", 3), "ab…")
        self.assertEqual(excerpt("ab cd", 4), "ab c…")
        self.assertEqual(excerpt("a\r\nb\x1b[31mc  d\n", 50), "a b [31mc d")

    def test_a_key_and_a_pointer_find_the_same_value(self) -> None:
        document = {"status": "ok", "a": {"b": [1, 2]}, "x/y": 3, "none": None}
        for place, value in [
            ("status", "ok"),
            ("/status", "ok"),
            ("/a/b/1", 2),
            ("x/y", 3),
            ("/x~1y", 3),
            ("/none", None),
        ]:
            self.assertEqual(find_json(document, place), value, place)
        for place in ("a/b", "/a/b/01", "/a/b/2", "/a/b/-1", "/status/0", "/items"):
            self.assertIs(find_json(document, place), NOTHING, place)
        self.assertEqual(show({"b": 1, "a": [{"d": 1, "c": 2}]}), '{"a":[{"c":2,"d":1}],"b":1}')
        self.assertTrue(equal({"a": 1}, {"a": 1.0}) and not equal(1, True) and not equal([1], [2]))

    def test_complaints_have_a_place_a_message_and_a_hint_and_come_all_at_once(self) -> None:
        def complaints(text: str) -> list[Issue]:
            return check(Outer, None, text)

        for text in ("", " null ", "{}"):
            self.assertEqual(complaints(text), [])
        self.assertEqual(
            complaints('{"items": [{"size": 1}, {"size": "big"}]}'),
            [Issue("/items/1/size", 'invalid type: string "big", expected an integer')],
        )
        self.assertEqual(
            complaints('{"items": [{}]}'), [Issue("/items/0", "missing field `size`", "add `size`")]
        )
        self.assertEqual(
            complaints('{"items": [{"size": 1, "sise": 2}]}'),
            [
                Issue(
                    "/items/0/sise",
                    "unknown field `sise`, expected `size`",
                    "remove `sise`, or correct its spelling",
                )
            ],
        )
        both = complaints('{"items": [{"size": 256}], "x": 1}')
        self.assertEqual([one.pointer for one in both], ["/x", "/items/0/size"])
        self.assertEqual(complaints("{} {}")[0].pointer, "")
        message = "invalid type: integer `3`, expected a sequence"
        self.assertEqual(complaints('{"items": 3}')[0].message, message)

    def test_every_word_of_a_field_counts(self) -> None:
        for good, bad in [
            ({"path": "/x"}, {"path": "x"}),
            ({"mode": "b"}, {"mode": "c"}),
            ({"maxMs": 1}, {"maxMs": 0}),
            ({"maxMs": 1}, {"maxMs": 1.5}),
            ({"rate": 1}, {"rate": 2}),
            ({"names": ["a"]}, {"names": [""]}),
            ({"names": ["a"]}, {"names": ["a", "b", "c"]}),
            ({"note": "x"}, {"note": 1}),
            ({"flag": True}, {"flag": 1}),
        ]:
            self.assertEqual(check(Words, None, json.dumps(good)), [])
            self.assertEqual(len(check(Words, None, json.dumps(bad))), 1, bad)
        self.assertEqual(of_call(Words, '{"maxMs": 7, "rate": 1}'), Words(max_ms=7, rate=1.0))
        of_call(Words, "").names.append("x")
        self.assertEqual(of_call(Words, "").names, [])
        self.assertEqual(of_call(Outer, '{"items": [{"size": 3}]}'), Outer([Inner(3)]))

    def test_own_validation_runs_only_on_settings_that_can_be_read(self) -> None:
        def own(_: Outer) -> list[Issue]:
            return [Issue("/items", "no")]

        self.assertEqual(check(Outer, own, "{}"), [Issue("/items", "no")])
        self.assertNotEqual(check(Outer, own, '{"items": 3}')[0].message, "no")
        with self.assertRaisesRegex(Unable, "^settings /items: invalid type") as raised:
            of_call(Outer, '{"items": 3}')
        self.assertEqual(raised.exception.case, "invalid-config")

    def test_the_schema_says_what_is_needed(self) -> None:
        made = schema(Outer)
        inner = made["properties"]["items"]["items"]
        self.assertEqual(inner["required"], ["size"])
        self.assertFalse(made["additionalProperties"])
        words = schema(Words)["properties"]
        self.assertEqual(
            words["maxMs"], {"type": "integer", "description": "How long.", "minimum": 1, "default": 5}
        )
        self.assertEqual(words["note"], {"type": "string"})

        @dataclass
        class Odd:
            when: complex = 1j

        with self.assertRaisesRegex(TypeError, "settings cannot have a .*complex"):
            schema(Odd)

    def test_assertions_say_what_was_expected_and_what_came(self) -> None:
        def said(say: Callable[[Examination], Examination], **parts: Any) -> str:
            return " ".join(say(Examination(response(**parts))).verdict())

        self.assertRegex(
            said(lambda e: e.json("/a", [1])),
            r"^fail .*expected /a to be \[1\], but it is not there; body: \{\}$",
        )
        self.assertRegex(
            said(lambda e: e.json("a", 1), body=b""),
            "expected JSON: the body is no JSON.*the body is empty$",
        )
        missing = 'the text "x" in the part of the body that was read, it is missing'
        self.assertIn(missing, said(lambda e: e.contains("x"), truncated=True))
        self.assertIn('the text "{" must not occur, but does', said(lambda e: e.lacks("{")))
        redirect = [("location", "https://a.example.com/x")]
        self.assertRegex(said(lambda e: e.header("Location", "https://a*"), headers=redirect), "^pass")
        self.assertIn(
            "expected header location: https://b*, came https://a",
            said(lambda e: e.header("location", "https://b*"), headers=redirect),
        )
        seven = Examination(response())
        for _ in range(7):
            seven.that(False, "", "no")
        self.assertIn("no; no; no; no; no; and 2 more", seven.verdict()[1])

    def test_a_status_becomes_the_error_that_fits(self) -> None:
        def case(**parts: Any) -> Any:
            try:
                return response(**parts).accepted().status
            except Unable as error:
                return error.case

        self.assertEqual(case(status=204), 204)
        self.assertEqual(case(status=403), "denied")
        self.assertEqual(case(status=503), "unavailable")
        self.assertEqual(case(status=404), "invalid-config")
        self.assertEqual(case(status=302), "other")
        with self.assertRaisesRegex(Unable, r"^GET / on candidate answered with status 500: \{\}$"):
            response(status=500).accepted()
        self.assertEqual(case(status=429), "rate-limited")
        for value, patience in [("7", 7000), ("soon", 30_000), ("4294967295", 0xFFFF_FFFF), ("9" * 10, 30_000)]:
            with self.assertRaises(Unable) as raised:
                response(status=429, headers=[("retry-after", value)]).accepted()
            self.assertEqual(raised.exception.value, patience)

    def test_a_server_that_is_needed_and_silent_is_an_outage_and_a_grant_is_a_persons(self) -> None:
        @notifier(Outer)
        def ping(client: Client, _: Outer, event: Event) -> None:
            client.ask(Request.post("/").on("chat"))

        for case, meaning in [
            ("timeout", "unavailable"),
            ("not-granted", "denied"),
            ("quota", "other"),
        ]:
            script = Script().call_on("chat", "POST", "/", Reply.error(case, "?"))
            played = script.play(ping, "notify", Event("1", "done", "info", "t"))
            self.assertEqual(played.error.case, meaning)
            if case == "timeout":
                self.assertEqual(str(played.error), "chat did not answer in time")


if __name__ == "__main__":
    unittest.main()
