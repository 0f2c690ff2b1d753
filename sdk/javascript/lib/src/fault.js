/** Why a plugin, or a request, gave no answer. */

/** How long to wait when asked for patience without a time, in milliseconds. */
const PATIENCE_MS = 30_000;

/** Longest time that the contract can carry, in milliseconds. */
const MAX_MS = 0xffff_ffff;

/**
 * The plugin could not do its job. Never a verdict: verdicts are data. Throw one where the work
 * cannot go on; its case is the contract's `error`, and tells the host whether to try again.
 */
export class Unable extends Error {
  /** @param {string} tag @param {string | number} val */
  constructor(tag, val) {
    super(typeof val === "number" ? `${val} ms` : val);
    this.name = "Unable";
    /** The contract's case: what the component answers. */
    this.error = { tag, val };
  }

  /** The settings cannot work, for a reason that only the call could show. */
  static invalidConfig(why) {
    return new Unable("invalid-config", why);
  }

  /** The other side cannot be reached, or answers with a fault of its own. Worth a retry. */
  static unavailable(why) {
    return new Unable("unavailable", why);
  }

  /** The other side asks for patience, in milliseconds. */
  static rateLimited(ms) {
    return new Unable("rate-limited", Math.min(MAX_MS, Math.max(0, Math.trunc(ms))));
  }

  /** The other side, or the host, refuses. Repeating the call is useless. */
  static denied(why) {
    return new Unable("denied", why);
  }

  /** Anything else. */
  static other(why) {
    return new Unable("other", why);
  }
}

/** A network call without an answer. `tag` and `val` are the contract's `net-error`. */
export class NetError extends Error {
  /** @param {{tag: string, val?: string | number}} cause @param {string} target */
  constructor(cause, target) {
    super(netErrorText(cause, target));
    this.name = "NetError";
    this.tag = cause.tag;
    this.val = cause.val;
    this.target = target;
  }
}

/**
 * Why there is no answer, in words.
 *
 * @param {{tag: string, val?: string | number}} error
 * @param {string} target
 */
export function netErrorText({ tag, val }, target) {
  switch (tag) {
    case "connect":
      return `no connection: ${val}`;
    case "tls":
      return `no TLS connection: ${val}`;
    case "protocol":
      return `no valid HTTP answer: ${val}`;
    case "timeout":
      return "no whole answer in time";
    case "not-granted":
      return `the plugin may not send this: ${val}`;
    case "resolve":
      return `target \`${target}\` has no usable address: ${val}`;
    case "too-large":
      return `the request is larger than the limit of ${val} bytes`;
    case "quota":
      return "the call's budget of requests is used up: raise `limits.requests` in the grant";
    default:
      return `no answer: ${val}`;
  }
}

/**
 * What the silence of a server means for a plugin that needs it: a grant is a person's to change, a
 * budget too, and the rest is an outage.
 *
 * @param {NetError} silence
 */
export function unreached({ tag, val, target }) {
  switch (tag) {
    case "not-granted":
      return Unable.denied(
        `the grant does not let the plugin speak to ${target}: ${val}; see plugins.yaml, ` +
          `target \`${target}\``,
      );
    case "resolve":
      return Unable.unavailable(`the address of ${target} does not resolve, or is denied: ${val}`);
    case "connect":
      return Unable.unavailable(`no connection to ${target}: ${val}`);
    case "tls":
      return Unable.unavailable(`no TLS connection to ${target}: ${val}`);
    case "timeout":
      return Unable.unavailable(`${target} did not answer in time`);
    case "protocol":
      return Unable.unavailable(`no valid answer of ${target}: ${val}`);
    case "too-large":
      return Unable.other(`the request to ${target} is larger than the limit of ${val} bytes`);
    case "quota":
      return Unable.other(netErrorText({ tag }, target));
    default:
      return Unable.unavailable(`no answer of ${target}: ${val}`);
  }
}

/**
 * For how long an answer asks, in milliseconds. `Retry-After` is in seconds; a date, or nothing,
 * counts as half a minute.
 *
 * @param {import("./http.js").Response} response
 */
export function patienceMs(response) {
  const seconds = response.header("retry-after")?.trim() ?? "";
  const isTime = /^[0-9]+$/.test(seconds) && Number(seconds) <= MAX_MS;
  return isTime ? Math.min(MAX_MS, Number(seconds) * 1000) : PATIENCE_MS;
}
