/** The five kinds: what an author hands in, and the exports of the contract that come of it. */

import { Client, Context } from "./client.js";
import { NetError, Unable, unreached } from "./fault.js";
import { Reported, SmokeTest } from "./smoke.js";
import { check, ofCall, schema } from "./settings.js";
import { excerpt, MESSAGE_CHARS } from "./text.js";

/**
 * @template S
 * @typedef {object} Common
 * @property {Record<string, import("./settings.js").Field>} [settings] the fields, by name.
 * @property {string} [description] of the settings.
 * @property {(settings: S) => object[]} [validate] complaints that the fields cannot express.
 */

/**
 * A smoke test: `run(t, settings)`. Returning means "ran to its end", not "passed".
 *
 * @param {Common<any> & {run: (t: SmokeTest, settings: any) => void}} plugin
 */
export function smokeTest({ run, ...common }) {
  return kind("smoke-test", common, (fields) => ({
    run: (host) => {
      const t = new SmokeTest(host);
      const settings = ofCall(fields, host.settings());
      try {
        run(t, settings);
      } catch (error) {
        if (!(error instanceof Reported)) throw error;
      }
      return t.report();
    },
  }));
}

/**
 * A metric provider: `evaluate(client, settings, window)` answers `{series, summary}`.
 *
 * @param {Common<any> & {evaluate: (client: Client, settings: any,
 *   window: {fromUnixMs: number, toUnixMs: number}) => object}} plugin
 */
export function metricProvider({ evaluate, ...common }) {
  return kind("metric-provider", common, (fields) => ({
    evaluate: (host, window) => {
      const { series, summary } = evaluate(new Client(host), ofCall(fields, host.settings()), window);
      const whole = series.map((one) => ({ ...one, value: one.value ?? null }));
      return { series: whole, summary: excerpt(summary, MESSAGE_CHARS) };
    },
  }));
}

/**
 * An approval provider. `ask`, `poll` and `onCallback` answer {@link pending}, {@link decided},
 * {@link expired}; `onCallback` answers `null` for a callback that is not about this ticket.
 *
 * @param {Common<any> & {
 *   ask: (client: Client, settings: any) => object,
 *   poll: (client: Client, settings: any, ticket: string) => object,
 *   withdraw: (client: Client, settings: any, ticket: string) => void,
 *   onCallback?: (client: Client, settings: any, ticket: string, headers: [string, string][],
 *     body: Uint8Array) => object | null,
 * }} plugin
 */
export function approvalProvider({ ask, poll, withdraw, onCallback = () => null, ...common }) {
  return kind("approval-provider", common, (fields) => {
    const of = (host) => [new Client(host), ofCall(fields, host.settings())];
    return {
      ask: (host) => ask(...of(host)),
      poll: (host, ticket) => poll(...of(host), ticket),
      withdraw: (host, ticket) => void withdraw(...of(host), ticket),
      onCallback: (host, ticket, headers, body) =>
        onCallback(...of(host), ticket, headers, Uint8Array.from(body)) ?? null,
    };
  });
}

/** Open, under a ticket of the plugin's own: at most 4 KiB. */
export function pending(ticket) {
  return { tag: "pending", val: ticket };
}

/** Somebody decided. `subjectDigest` is what that person saw, never what the release says. */
export function decided({ approved, approver, reason = "", subjectDigest }) {
  return { tag: "decided", val: { approved, approver, reason, subjectDigest } };
}

/** The other side gave up on it. */
export function expired() {
  return { tag: "expired" };
}

/**
 * A traffic strategy: `plan(context, settings)` answers steps, `judge(context, settings, step,
 * observations)` answers {@link proceed}, {@link hold} or {@link rollback}. Pure: no network.
 *
 * @param {Common<any> & {
 *   plan: (context: Context, settings: any) => object[],
 *   judge: (context: Context, settings: any, step: any, observations: any[]) => object,
 * }} plugin
 */
export function trafficStrategy({ plan, judge, ...common }) {
  return kind("traffic-strategy", common, (fields) => {
    const of = (host) => [new Context(host), ofCall(fields, host.settings())];
    return {
      plan: (host) => plan(...of(host)).map(wholeStep),
      judge: (host, step, observations) => judge(...of(host), step, observations),
    };
  });
}

function wholeStep({ name, weightBp, capacityReplicas, holdMs = 0, checks = true, gate }) {
  const replicas = capacityReplicas ?? null;
  return { name, weightBp, capacityReplicas: replicas, holdMs, checks, gate: gate ?? null };
}

/** On to the next step, once the host's own checks and gates agree. */
export function proceed() {
  return { tag: "proceed" };
}

/** Look again after so many milliseconds. */
export function hold(ms) {
  return { tag: "hold", val: ms };
}

/** Put the stable version back, for this reason. */
export function rollback(why) {
  return { tag: "rollback", val: why };
}

/**
 * A notifier: `notify(client, settings, event)` answers a thread reference, or nothing.
 *
 * @param {Common<any> & {notify: (client: Client, settings: any, event: any) => string | null | void}} plugin
 */
export function notifier({ notify, ...common }) {
  return kind("notifier", common, (fields) => ({
    notify: (host, event) =>
      notify(new Client(host), ofCall(fields, host.settings()), event) ?? null,
  }));
}

function kind(name, { settings: fields = {}, description, validate }, calls) {
  return {
    kind: name,
    schema: schema(fields, description),
    validate: (text) => check(fields, validate, text),
    calls: guarded(calls(fields)),
  };
}

/** What is thrown by mistake becomes an answer that names the line, and not a trap. */
function guarded(calls) {
  const guard = (call) => (host, ...rest) => {
    try {
      return call(host, ...rest);
    } catch (error) {
      if (error instanceof Unable) throw error;
      if (error instanceof NetError) throw unreached(error);
      throw Unable.other(excerpt(`the plugin threw ${error} ${where(error)}`, MESSAGE_CHARS));
    }
  };
  return Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, guard(call)]));
}

/** The author's line. */
function where(error) {
  const lines = String(error?.stack ?? "").split("\n").filter((line) => /^ *at /.test(line));
  return (lines.find((line) => !line.includes("sluice-sdk")) ?? lines[0] ?? "").trim();
}
