/** One request and one response. */

import { patienceMs, Unable } from "./fault.js";
import { decode, encode, excerpt } from "./text.js";

/** A request under construction. The target is a name; the host knows the address. */
export class Request {
  /** A request to the target `candidate`: each Ready pod of the new version. */
  constructor(method, path) {
    this.target = "candidate";
    this.method = method;
    this.path = path;
    /** @type {[string, string][]} */
    this.headers = [];
    this.body = new Uint8Array(0);
    /** @type {number | null} */
    this.limitMs = null;
  }

  static get(path) {
    return new Request("GET", path);
  }

  static post(path) {
    return new Request("POST", path);
  }

  static delete(path) {
    return new Request("DELETE", path);
  }

  /** Another target: `stable`, `service`, or a name from the grant. */
  on(target) {
    this.target = target;
    return this;
  }

  /** Adds a header. `${secret:NAME}` and `${hmac-sha256:NAME}` are expanded by the host. */
  header(name, value) {
    this.headers.push([name, value]);
    return this;
  }

  /** Adds `authorization: Bearer` with a secret that the host fills in. The plugin never sees it. */
  bearer(secret) {
    return this.header("authorization", `Bearer \${secret:${secret}}`);
  }

  /** Sets the body: text, or bytes. */
  text(body) {
    this.body = typeof body === "string" ? encode(body) : body;
    return this;
  }

  /** Sets a JSON body and its content type. */
  json(value) {
    return this.header("content-type", "application/json; charset=utf-8").text(
      JSON.stringify(value),
    );
  }

  /** Sets the plugin's own limit in milliseconds; the host has its own. */
  timeoutMs(ms) {
    this.limitMs = ms;
    return this;
  }

  toString() {
    return `${this.method} ${this.path} on ${this.target}`;
  }
}

/** A response, whole. */
export class Response {
  constructor({ request, status, headers, body, truncated, elapsedMs }) {
    /** The request that it answers, for messages: `GET /health on candidate`. */
    this.request = request;
    this.status = status;
    /** @type {[string, string][]} Names in lower case. */
    this.headers = headers;
    /** @type {Uint8Array} As sent. */
    this.body = body;
    /** Whether the host cut the body. */
    this.truncated = truncated;
    /** From the request to the last byte, in milliseconds. */
    this.elapsedMs = elapsedMs;
  }

  /** The first header of this name. @returns {string | undefined} */
  header(name) {
    const wanted = name.toLowerCase();
    return this.headers.find(([key]) => key.toLowerCase() === wanted)?.[1];
  }

  /** The body as text. Bytes that are not UTF-8 become replacement characters. */
  text() {
    this.decoded ??= decode(this.body);
    return this.decoded;
  }

  /** The body as JSON. Throws {@link Unable} (unavailable) that says why it is none. */
  json() {
    try {
      return JSON.parse(this.text());
    } catch (error) {
      throw Unable.unavailable(
        this.truncated
          ? "the body is longer than the host reads, so it is no whole JSON"
          : `the body is no JSON: ${error.message}`,
      );
    }
  }

  /**
   * Itself, if the status is from 200 to 299. Otherwise throws the {@link Unable} that says what
   * another status means for a plugin that needed the answer.
   */
  accepted() {
    if (this.status >= 200 && this.status < 300) return this;
    if (this.status === 429) throw Unable.rateLimited(patienceMs(this));
    const body = excerpt(this.text());
    const said = body === "" ? "" : `: ${body}`;
    const told = `${this.request} answered with status ${this.status}${said}`;
    if (this.status === 401 || this.status === 403) throw Unable.denied(told);
    if (this.status === 404 || this.status === 405) throw Unable.invalidConfig(told);
    throw this.status >= 500 ? Unable.unavailable(told) : Unable.other(told);
  }
}
