import assert from "node:assert/strict";
import test from "node:test";

import { Reply, Script } from "sluice-sdk/testing";
import plugin from "../src/plugin.js";

const event = { id: "1", kind: "done", severity: "info", title: "done", body: "", links: [], thread: null };
const told = (reply, parts = {}) =>
  new Script()
    .settings({ channel: "#deploys" })
    .callOn("chat", "POST", "/api/messages", reply)
    .play(plugin, "notify", { ...event, ...parts });

test("the first message of a rollout begins a thread", () => {
  const played = told(Reply.json(200, { thread: "1700.01" }));
  assert.equal(played.answer, "1700.01");
  assert.deepEqual(played.sent(), { channel: "#deploys", text: "done" });
});

test("a chat that asks for patience gets it", () => {
  const played = told(Reply.status(429).header("retry-after", "30"));
  assert.deepEqual(played.error, { tag: "rate-limited", val: 30_000 });
});
