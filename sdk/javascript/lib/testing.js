/**
 * A scripted host: a plugin's logic as a unit test, without wasm and without a network.
 *
 * ```js
 * const played = new Script()
 *   .settings({ path: "/health" })
 *   .call("GET", "/health", Reply.json(200, { status: "failing" }))
 *   .run(plugin);
 * assert.equal(played.report.outcome, "fail");
 * ```
 *
 * An unexpected request, and an expected one that never came, fail the test and say so.
 */

export { Reply } from "./src/testing/reply.js";
export { Script } from "./src/testing/script.js";
