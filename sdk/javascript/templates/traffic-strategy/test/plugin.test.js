import assert from "node:assert/strict";
import test from "node:test";

import { Script } from "sluice-sdk/testing";
import plugin from "../src/plugin.js";

const step = { name: "10 %", weightBp: 1000, holdMs: 60_000, checks: true };
const judged = (seen) => new Script().play(plugin, "judge", step, seen).answer;

test("the last step is promotion", () => {
  const steps = new Script().settings({ percent: [10] }).play(plugin, "plan").answer;
  assert.deepEqual(steps.map((one) => one.weightBp), [1000, 10_000]);
});

test("no number at all counts as too many errors", () => {
  const seen = { elapsedMs: 60_000, weightBp: 1000, healthy: true };
  assert.equal(judged([{ ...seen, samples: [["error-rate", Number.NaN]] }]).tag, "rollback");
  assert.equal(judged([{ ...seen, samples: [["error-rate", 0]] }]).tag, "proceed");
  assert.deepEqual(judged([]), { tag: "hold", val: 60_000 });
});

test("steps that do not rise are refused", () => {
  assert.equal(plugin.validate('{"percent": [50, 10]}')[0].pointer, "/percent");
  assert.equal(plugin.validate('{"percent": [10, 100]}')[0].pointer, "/percent/1");
});
