import assert from "node:assert/strict";
import test from "node:test";

import { encode } from "sluice-sdk";
import { Reply, Script } from "sluice-sdk/testing";
import plugin from "../src/plugin.js";

const script = () => new Script().settings({ board: "changes" });

test("the board asks once, whatever is repeated", () => {
  const played = script()
    .callOn("board", "POST", "/requests", Reply.json(201, { id: "CHG-7" }))
    .play(plugin, "ask");
  assert.deepEqual(played.answer, { tag: "pending", val: "CHG-7" });
  const key = played.requests[0].headers.find(([name]) => name === "idempotency-key");
  assert.deepEqual(key, ["idempotency-key", "storefront-production-1/test"]);
});

test("a decision names what the person saw", () => {
  const { answer } = script()
    .callOn("board", "GET", "/requests/CHG-7", Reply.json(200, { state: "approved", subject: "sha256:old" }))
    .play(plugin, "poll", "CHG-7");
  assert.equal(answer.val.subjectDigest, "sha256:old");
});

test("a callback that is no document, or about another request, is not ours", () => {
  for (const body of ["?", '{"id": "CHG-8", "state": "approved"}']) {
    assert.equal(script().play(plugin, "onCallback", "CHG-7", [], encode(body)).answer, null);
  }
});
