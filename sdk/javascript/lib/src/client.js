/** What a call is about, and HTTP for the kinds that have it. */

import { NetError, unreached } from "./fault.js";
import { Response } from "./http.js";

/**
 * The host's side of one call, as the component imports it or as a script in a test plays it.
 *
 * @typedef {object} Host
 * @property {() => object} release
 * @property {() => string} settings
 * @property {() => number} remainingMs
 * @property {() => string} idempotencyKey
 * @property {() => [string, string][]} attributes
 * @property {(level: string, message: string, fields: [string, string][]) => void} log
 * @property {(request: object) => object} [fetch]
 * @property {(target: string, timeoutMs: number | null) => object} [inspect]
 */

/** The call in progress: what it is about, how long it may take, and a log. */
export class Context {
  /** @param {Host} host */
  constructor(host) {
    this.host = host;
  }

  /** The release that the call is about: `id`, `workload`, `toRevision`, `subjectDigest`, … */
  get release() {
    return this.host.release();
  }

  /** Milliseconds until the host ends the call. Zero: finish at once. */
  get remainingMs() {
    return this.host.remainingMs();
  }

  /** The same for every repetition of the same call, also after a restart of the agent. */
  get idempotencyKey() {
    return this.host.idempotencyKey();
  }

  /** Further facts, such as `environment`. A name may occur more than once. */
  get attributes() {
    return this.host.attributes();
  }

  /** The first attribute of this name. @returns {string | undefined} */
  attribute(name) {
    return this.attributes.find(([key]) => key === name)?.[1];
  }

  /**
   * Whether the secret is granted and holds a value. A host that does not tell (no attribute
   * `secrets`) is taken to have it: the call then shows.
   */
  hasSecret(name) {
    const names = this.attribute("secrets");
    return names === undefined || names.split(",").some((known) => known.trim() === name);
  }

  /**
   * Writes a line to the agent's log: `trace`, `debug`, `info`, `warn` or `error`.
   *
   * @param {string} level @param {string} message @param {Record<string, unknown>} [fields]
   */
  log(level, message, fields = {}) {
    const pairs = Object.entries(fields).map(([key, value]) => [key, String(value)]);
    this.host.log(level, message, pairs);
  }
}

/** A {@link Context} that can also speak HTTP to granted targets. */
export class Client extends Context {
  /**
   * Sends one request and waits for the whole response. Redirects are not followed.
   *
   * @param {import("./http.js").Request} request
   * @returns {Response}
   * @throws {NetError} there is no answer.
   */
  send(request) {
    const before = this.remainingMs;
    const answer = this.reach(request.target, () =>
      this.host.fetch({
        target: request.target,
        method: request.method,
        pathAndQuery: request.path,
        headers: request.headers,
        body: request.body,
        timeoutMs: request.limitMs,
      }),
    );
    // The host's own countdown is the clock: a plugin has no other.
    const elapsedMs = Math.max(0, before - this.remainingMs);
    return new Response({ ...answer, request: String(request), elapsedMs });
  }

  /**
   * Sends one request to a server that the plugin needs, and wants a status from 200 to 299. (A
   * smoke test, which judges answers, has `request`.) No answer, or one with another status, throws
   * the {@link Unable} that fits.
   *
   * @param {import("./http.js").Request} request
   * @returns {Response}
   */
  ask(request) {
    try {
      return this.send(request).accepted();
    } catch (error) {
      throw error instanceof NetError ? unreached(error) : error;
    }
  }

  /** Looks at the certificates of a target. @throws {NetError} */
  inspectTls(target, timeoutMs = null) {
    return this.reach(target, () => this.host.inspect(target, timeoutMs));
  }

  /** A refusal of the host comes as an exception that carries the contract's case. */
  reach(target, call) {
    try {
      return call();
    } catch (error) {
      const cause = error?.payload ?? error;
      throw typeof cause?.tag === "string" ? new NetError(cause, target) : error;
    }
  }
}
