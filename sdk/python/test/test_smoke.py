"""The same rules as the Rust SDK's, in the same words: sdk/src/smoke/tests.rs."""

import unittest
from dataclasses import dataclass

from sluice_sdk import NetError, Plugin, SmokeTest, Unable, no_answer, smoke_test
from sluice_sdk.smoke import MAX_CHECKS
from sluice_sdk.testing import Played, Reply, Script


@dataclass
class NoSettings:
    pass


@smoke_test(NoSettings)
def health(t: SmokeTest, _: NoSettings) -> None:
    answer = t.get("/health")
    t.check("health", answer).status(200).json("/status", "ok").faster_than(500)


def with_reply(reply: Reply) -> Played:
    return Script().call("GET", "/health", reply).run(health)


def lines(*outcomes: str) -> Plugin:
    @smoke_test(NoSettings)
    def test(t: SmokeTest, _: NoSettings) -> None:
        for outcome in outcomes:
            t.record("line", outcome, "why")

    return test


class Smoke(unittest.TestCase):
    def test_a_good_answer_passes(self) -> None:
        report = with_reply(Reply.json(200, {"status": "ok"}).after_ms(12)).report
        self.assertEqual(report.outcome, "pass")
        self.assertEqual(report.summary, "1 of 1 checks passed")
        self.assertEqual(report.checks[0].elapsed_ms, 12)
        self.assertEqual(
            report.checks[0].message,
            'GET /health on candidate: status 200, /status is "ok", 12 ms',
        )

    def test_every_broken_assertion_is_told_with_what_came(self) -> None:
        report = with_reply(Reply.json(503, {"status": "failing"}).after_ms(700)).report
        self.assertEqual(report.outcome, "fail")
        self.assertEqual(
            report.checks[0].message,
            "GET /health on candidate: expected status 200, came 503; expected /status to be "
            '"ok", came "failing"; expected an answer in less than 500 ms, it took 700 ms; '
            'body: {"status": "failing"}',
        )
        head = "0 of 1 checks passed; health: GET /health on candidate"
        self.assertTrue(report.summary.startswith(head), report.summary)

    def test_a_candidate_that_refuses_fails_and_our_own_trouble_does_not(self) -> None:
        for case in ("connect", "tls", "timeout", "protocol"):
            report = with_reply(Reply.error(case, "?")).report
            self.assertEqual(report.outcome, "fail", case)
            self.assertEqual(report.checks[0].name, "GET /health on candidate")
            # The same trouble with a bystander says nothing about the candidate.
            for target, outcome in [
                ("auth", "inconclusive"),
                ("stable", "inconclusive"),
                ("service", "fail"),
            ]:
                error = NetError(case, target, "?")
                self.assertEqual(no_answer(error, target, 1000)[0], outcome, case)
        for case in ("not-granted", "quota", "resolve", "too-large", "other"):
            self.assertEqual(with_reply(Reply.error(case, 5)).report.outcome, "inconclusive", case)

    def test_a_time_out_at_the_end_of_the_call_is_not_the_candidates_fault(self) -> None:
        script = Script(remaining_ms=5000)
        script.call("GET", "/health", Reply.error("timeout").after_ms(5000))
        self.assertEqual(script.run(health).report.outcome, "inconclusive")

    def test_a_check_that_expects_nothing_never_passes(self) -> None:
        @smoke_test(NoSettings)
        def idle(t: SmokeTest, _: NoSettings) -> None:
            t.check("nothing", t.get("/"))

        played = Script().call("GET", "/", Reply(200)).run(idle)
        self.assertEqual(played.report.outcome, "inconclusive")
        self.assertEqual(Script().run(lines()).report.outcome, "inconclusive")
        self.assertEqual(Script().run(lines()).report.summary, "the test checked nothing")

    def test_the_worst_line_decides_and_a_skip_shows_beside_a_pass(self) -> None:
        def of(*outcomes: str) -> tuple[str, str]:
            report = Script().run(lines(*outcomes)).report
            return report.outcome, report.summary

        self.assertEqual(of("pass", "skipped"), ("pass", "1 of 2 checks passed, 1 skipped"))
        self.assertEqual(of("skipped", "skipped"), ("skipped", "nothing tested: why"))
        self.assertEqual(of("pass", "inconclusive", "skipped")[0], "inconclusive")
        self.assertEqual(of("fail", "inconclusive", "pass")[0], "fail")
        many = ["pass"] * (MAX_CHECKS + 20)
        self.assertEqual(of(*many, "fail")[0], "fail", "a failure without room still counts")

    def test_an_error_of_the_plugin_is_no_report(self) -> None:
        @smoke_test(NoSettings)
        def unable(t: SmokeTest, _: NoSettings) -> None:
            raise Unable.unavailable("no")

        error = Script().run(unable).error
        self.assertEqual((error.case, error.value), ("unavailable", "no"))

    def test_a_mistake_of_the_author_is_an_answer_that_names_the_line(self) -> None:
        @smoke_test(NoSettings)
        def mistaken(t: SmokeTest, _: NoSettings) -> None:
            t.nonsense()

        with self.assertRaises(Unable) as raised:
            mistaken.call("run", Script())
        self.assertEqual(raised.exception.case, "other")
        self.assertRegex(
            str(raised.exception), r"the plugin raised AttributeError: .*test_smoke\.py:\d+, in mis"
        )
        with self.assertRaises(AttributeError):
            Script().run(mistaken)

    def test_the_context_reaches_the_test(self) -> None:
        @smoke_test(NoSettings)
        def curious(t: SmokeTest, _: NoSettings) -> None:
            t.log("info", "hello", id=t.release.id)
            known = t.has_secret("a") and not t.has_secret("c")
            outcome = "pass" if known else "fail"
            t.record(t.attribute("environment") or "", outcome, t.idempotency_key)

        attributes = {"environment": "production", "secrets": "a, b"}
        played = Script(attributes=attributes).run(curious)
        self.assertEqual(played.line("production").message, "storefront-production-1/test")
        self.assertEqual(played.report.outcome, "pass")
        self.assertEqual(played.log, [("info", "hello")])

    def test_a_script_that_is_not_followed_fails_whatever_the_plugin_makes_of_it(self) -> None:
        @smoke_test(NoSettings)
        def deaf(t: SmokeTest, _: NoSettings) -> None:
            try:
                t.get("/other")
            except BaseException:
                t.record("x", "pass", "")

        def script() -> Script:
            return Script().call("GET", "/health", Reply(200))

        sent = "expected `GET /health on candidate`, the plugin sent `GET /other on candidate`"
        with self.assertRaisesRegex(AssertionError, sent):
            script().run(deaf)
        with self.assertRaisesRegex(AssertionError, "expected but never sent: GET /health"):
            script().run(lines())


if __name__ == "__main__":
    unittest.main()
