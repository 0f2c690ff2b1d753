import assert from "node:assert/strict";
import test from "node:test";

import { Reply, Script } from "sluice-sdk/testing";
import plugin from "../src/plugin.js";

const health = (reply) => new Script().call("GET", "/health", reply).run(plugin);

test("a healthy page passes", () => {
  assert.equal(health(Reply.json(200, { status: "ok" })).report.outcome, "pass");
});

test("a lying health page fails, and the report says what came", () => {
  const played = health(Reply.json(200, { status: "failing" }));
  assert.equal(played.report.outcome, "fail");
  assert.match(played.line("health").message, /came "failing"/);
});
