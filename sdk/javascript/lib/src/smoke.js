/** A smoke test that reads like one. */

import { Client } from "./client.js";
import { Examination } from "./examination.js";
import { NetError, netErrorText } from "./fault.js";
import { Request } from "./http.js";
import { excerpt, MESSAGE_CHARS } from "./text.js";

/** Most lines in one report. What comes later is counted in the last line. */
export const MAX_CHECKS = 100;

/** Verdicts, the best first. Skipped does not outweigh a pass: it stands in the report beside it. */
const RANK = ["skipped", "pass", "inconclusive", "fail"];

/** Ends a test whose reason is already a line of the report. Not for authors to catch. */
export class Reported extends Error {}

/** One run of a smoke test: sends requests, collects lines, makes the report. */
export class SmokeTest extends Client {
  constructor(host) {
    super(host);
    this.lines = [];
    this.leftOut = 0;
  }

  /** `GET path` on the candidate. @param {string} path */
  get(path) {
    return this.request(Request.get(path));
  }

  /**
   * Sends any request. No answer is a line of the report (see {@link noAnswer}) and ends the test;
   * to go on after it, use `send`.
   *
   * @param {Request} request
   */
  request(request) {
    return this.orReported(String(request), request.target, () => this.send(request));
  }

  /** Looks at the certificates of a target. No chain is a line of the report and ends the test. */
  certificates(target, timeoutMs = null) {
    const name = `certificate of ${target}`;
    return this.orReported(name, target, () => this.inspectTls(target, timeoutMs));
  }

  orReported(name, target, call) {
    const before = this.remainingMs;
    try {
      return call();
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      const left = this.remainingMs;
      const [outcome, message] = noAnswer(error, target, left);
      this.record(name, outcome, message, Math.max(0, before - left));
      throw new Reported(message);
    }
  }

  /**
   * Begins a line of the report about one response. It passes when everything that is said about
   * the response holds; a line that says nothing is inconclusive.
   *
   * @param {string} name @param {import("./http.js").Response} response
   */
  check(name, response) {
    const examination = new Examination(response);
    this.add({ name, examination });
    return examination;
  }

  /** Adds a line of the test's own making. */
  record(name, outcome, message, elapsedMs = 0) {
    this.add({ name, outcome, message, elapsedMs });
  }

  /** Adds a line that says why something was not tested. */
  skip(name, why) {
    this.record(name, "skipped", why);
  }

  add(line) {
    this.lines.push(line);
  }

  /**
   * The report. A failed check makes it fail, an inconclusive one makes it inconclusive; it passes
   * when something passed and the rest was skipped.
   */
  report() {
    // Only now, because a line goes on until the end of its statement.
    const checks = bounded(this.lines.map(finished));
    if (checks.length === 0) {
      return { outcome: "inconclusive", summary: "the test checked nothing", checks };
    }
    const outcome = checks.map((line) => line.outcome).reduce(worse);
    return { outcome, summary: excerpt(summary(outcome, checks), MESSAGE_CHARS), checks };
  }
}

function finished({ name, examination, outcome, message, elapsedMs }) {
  if (examination !== undefined) {
    [outcome, message] = examination.verdict();
    elapsedMs = examination.response.elapsedMs;
  }
  return {
    name: excerpt(name, MESSAGE_CHARS),
    outcome,
    message: excerpt(message, MESSAGE_CHARS),
    elapsedMs,
  };
}

/** The verdict must not depend on lines that found no room. */
function bounded(lines) {
  if (lines.length <= MAX_CHECKS) return lines;
  const checks = lines.slice(0, MAX_CHECKS);
  const rest = lines.slice(MAX_CHECKS - 1);
  checks[MAX_CHECKS - 1] = {
    ...checks[MAX_CHECKS - 1],
    name: `${rest.length} further checks, the worst`,
    outcome: rest.map((line) => line.outcome).reduce(worse),
  };
  return checks;
}

function summary(outcome, checks) {
  const count = (wanted) => checks.filter((line) => line.outcome === wanted).length;
  const skipped = count("skipped");
  const skips = skipped === 0 ? "" : `, ${skipped} skipped`;
  const first = checks.find((line) => line.outcome === outcome);
  if (outcome === "skipped") return `nothing tested: ${first.message}`;
  const score = `${count("pass")} of ${checks.length} checks passed${skips}`;
  return outcome === "pass" ? score : `${score}; ${first.name}: ${first.message}`;
}

function worse(a, b) {
  return RANK.indexOf(b) > RANK.indexOf(a) ? b : a;
}

/**
 * What it says about the release that there was no answer.
 *
 * A target that refuses, hangs or talks nonsense is broken, if it is the one under test:
 * `candidate`, or `service`, which is what users get. The same trouble with another target, and
 * everything that the host refused or ran out of, says nothing about the candidate. `leftMs` is
 * what is left of the call: a time-out at its end may be the call's own.
 *
 * @param {{tag: string, val?: string | number}} error @param {string} target @param {number} leftMs
 * @returns {["fail" | "inconclusive", string]}
 */
export function noAnswer(error, target, leftMs) {
  if (error.tag === "timeout" && leftMs === 0) {
    return ["inconclusive", "the time of the whole call ran out while waiting"];
  }
  const broken = ["connect", "tls", "protocol", "timeout"].includes(error.tag);
  const tested = target === "candidate" || target === "service";
  return [broken && tested ? "fail" : "inconclusive", netErrorText(error, target)];
}
