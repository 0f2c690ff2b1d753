/**
 * What the author of a Sluice plugin in JavaScript imports. A smoke test reads like a test:
 *
 * ```js
 * import { smokeTest } from "sluice-sdk";
 *
 * export default smokeTest({
 *   settings: { path: { type: "string", default: "/health" } },
 *   run(t, on) {
 *     const answer = t.get(on.path);
 *     t.check("health", answer).status(200).json("/status", "ok");
 *   },
 * });
 * ```
 *
 * The contract is `wit/`; README.md has the rest.
 */

export { Client, Context } from "./src/client.js";
export { Examination } from "./src/examination.js";
export { NetError, Unable } from "./src/fault.js";
export { Request, Response } from "./src/http.js";
export {
  approvalProvider,
  decided,
  expired,
  hold,
  metricProvider,
  notifier,
  pending,
  proceed,
  rollback,
  smokeTest,
  trafficStrategy,
} from "./src/kinds.js";
export { find as findJson } from "./src/pointer.js";
export { issue } from "./src/settings.js";
export { noAnswer, SmokeTest } from "./src/smoke.js";
export { decode, encode, excerpt } from "./src/text.js";
