// The same rules as the Rust SDK's, in the same words: sdk/src/smoke/tests.rs.

import assert from "node:assert/strict";
import test from "node:test";

import { NetError, noAnswer, smokeTest, Unable } from "../lib/index.js";
import { MAX_CHECKS } from "../lib/src/smoke.js";
import { Reply, Script } from "../lib/testing.js";

const health = smokeTest({
  run(t) {
    const answer = t.get("/health");
    t.check("health", answer).status(200).json("/status", "ok").fasterThan(500);
  },
});

const withReply = (reply) => new Script().call("GET", "/health", reply).run(health);

test("a good answer passes", () => {
  const { report } = withReply(Reply.json(200, { status: "ok" }).afterMs(12));
  assert.equal(report.outcome, "pass");
  assert.equal(report.summary, "1 of 1 checks passed");
  assert.equal(report.checks[0].elapsedMs, 12);
  assert.equal(
    report.checks[0].message,
    'GET /health on candidate: status 200, /status is "ok", 12 ms',
  );
});

test("every broken assertion is told with what came", () => {
  const { report } = withReply(Reply.json(503, { status: "failing" }).afterMs(700));
  assert.equal(report.outcome, "fail");
  assert.equal(
    report.checks[0].message,
    'GET /health on candidate: expected status 200, came 503; expected /status to be "ok", came ' +
      '"failing"; expected an answer in less than 500 ms, it took 700 ms; body: {"status":"failing"}',
  );
  assert.match(report.summary, /^0 of 1 checks passed; health: GET \/health on candidate/);
});

test("a candidate that refuses fails, and our own trouble does not", () => {
  for (const [tag, val] of [["connect", "refused"], ["tls", "expired"], ["timeout"], ["protocol", "?"]]) {
    const played = withReply(Reply.error(tag, val));
    assert.equal(played.report.outcome, "fail", tag);
    assert.equal(played.report.checks[0].name, "GET /health on candidate");
    // The same trouble with a bystander says nothing about the candidate.
    for (const [target, outcome] of [["auth", "inconclusive"], ["stable", "inconclusive"], ["service", "fail"]]) {
      assert.equal(noAnswer(new NetError({ tag, val }, target), target, 1000)[0], outcome, tag);
    }
  }
  for (const [tag, val] of [["not-granted", "path"], ["quota"], ["resolve", "?"], ["too-large", 5], ["other", "?"]]) {
    assert.equal(withReply(Reply.error(tag, val)).report.outcome, "inconclusive", tag);
  }
});

test("a time-out at the end of the call is not the candidate's fault", () => {
  const played = new Script()
    .remainingMs(5000)
    .call("GET", "/health", Reply.error("timeout").afterMs(5000))
    .run(health);
  assert.equal(played.report.outcome, "inconclusive");
});

test("a check that expects nothing never passes", () => {
  const idle = smokeTest({ run: (t) => void t.check("nothing", t.get("/")) });
  const played = new Script().call("GET", "/", Reply.status(200)).run(idle);
  assert.equal(played.report.outcome, "inconclusive");
  const empty = smokeTest({ run() {} });
  assert.equal(new Script().run(empty).report.summary, "the test checked nothing");
  assert.equal(new Script().run(empty).report.outcome, "inconclusive");
});

test("the worst line decides, and a skip shows beside a pass", () => {
  const of = (...outcomes) => {
    const lines = smokeTest({
      run: (t) => outcomes.forEach((outcome) => t.record("line", outcome, "why")),
    });
    const { outcome, summary } = new Script().run(lines).report;
    return [outcome, summary];
  };
  assert.deepEqual(of("pass", "skipped"), ["pass", "1 of 2 checks passed, 1 skipped"]);
  assert.deepEqual(of("skipped", "skipped"), ["skipped", "nothing tested: why"]);
  assert.equal(of("pass", "inconclusive", "skipped")[0], "inconclusive");
  assert.equal(of("fail", "inconclusive", "pass")[0], "fail");
  const many = Array(MAX_CHECKS + 20).fill("pass");
  assert.equal(of(...many, "fail")[0], "fail", "a failure that found no room still counts");
});

test("an error of the plugin is no report", () => {
  const unable = smokeTest({
    run() {
      throw Unable.unavailable("no");
    },
  });
  assert.deepEqual(new Script().run(unable).error, { tag: "unavailable", val: "no" });
});

test("a mistake of the author is an answer that names the line", () => {
  const mistaken = smokeTest({ run: (t) => t.nonsense() });
  const { error } = new Script().run(mistaken);
  assert.equal(error.tag, "other");
  assert.match(error.val, /^the plugin threw TypeError: .*smoke\.test\.js:\d+/);
});

test("the context reaches the test", () => {
  const curious = smokeTest({
    run(t) {
      t.log("info", "hello", { id: t.release.id });
      const known = t.hasSecret("a") && !t.hasSecret("c");
      t.record(t.attribute("environment"), known ? "pass" : "fail", t.idempotencyKey);
    },
  });
  const played = new Script()
    .attribute("environment", "production")
    .attribute("secrets", "a, b")
    .run(curious);
  assert.equal(played.line("production").message, "storefront-production-1/test");
  assert.equal(played.report.outcome, "pass");
  assert.deepEqual(played.log, [["info", "hello"]]);
});

test("a script that is not followed fails the test, whatever the plugin makes of it", () => {
  const deaf = smokeTest({
    run(t) {
      try {
        t.get("/other");
      } catch {
        t.record("x", "pass", "");
      }
    },
  });
  const script = () => new Script().call("GET", "/health", Reply.status(200));
  assert.throws(() => script().run(deaf), /expected `GET \/health on candidate`, the plugin sent `GET \/other/);
  assert.throws(() => script().run(smokeTest({ run() {} })), /expected but never sent: GET \/health/);
});
