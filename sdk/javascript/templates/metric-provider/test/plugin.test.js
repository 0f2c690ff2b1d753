import assert from "node:assert/strict";
import test from "node:test";

import { Reply, Script } from "sluice-sdk/testing";
import plugin from "../src/plugin.js";

const window = { fromUnixMs: 0, toUnixMs: 60_000 };
const counted = (page) =>
  new Script()
    .settings({ path: "/counts" })
    .callOn("metrics", "GET", "/counts?from=0&to=60000", Reply.json(200, page))
    .play(plugin, "evaluate", window);

test("a role without data has no series", () => {
  const { answer } = counted({ stable: { errors: 3, total: 10 } });
  assert.deepEqual(answer.series, [{ role: "stable", events: 3, total: 10, value: null }]);
});

test("what is no count is an error, and never numbers", () => {
  assert.equal(counted({ stable: { errors: -1, total: 10 } }).error.tag, "unavailable");
});
