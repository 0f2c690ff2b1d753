/** What a scripted target answers. */

import { encode } from "../text.js";

/** An answer to one request, and the time it takes. */
export class Reply {
  constructor(answer) {
    this.answer = answer;
    this.takesMs = 1;
  }

  /** A response with an empty body. */
  static status(status) {
    const response = { status, headers: [], body: new Uint8Array(0), truncated: false };
    return new Reply({ response });
  }

  /** A response with a JSON body. */
  static json(status, value) {
    return Reply.status(status)
      .header("content-type", "application/json")
      .body(JSON.stringify(value));
  }

  /** A response with a text body. */
  static text(status, text) {
    return Reply.status(status).header("content-type", "text/plain; charset=utf-8").body(text);
  }

  /** No response: `Reply.error("timeout")`, `Reply.error("connect", "refused")`. */
  static error(tag, val) {
    return new Reply({ error: val === undefined ? { tag } : { tag, val } });
  }

  /** Certificates, for a look at TLS. */
  static chain(chain) {
    return new Reply({ chain });
  }

  /** Adds a response header. */
  header(name, value) {
    this.answer.response.headers.push([name.toLowerCase(), value]);
    return this;
  }

  /** Sets the response body: text, or bytes. */
  body(body) {
    this.answer.response.body = typeof body === "string" ? encode(body) : body;
    return this;
  }

  /** Marks the body as cut by the host. */
  truncated() {
    this.answer.response.truncated = true;
    return this;
  }

  /** How long it takes, in milliseconds: one, unless said otherwise. */
  afterMs(ms) {
    this.takesMs = ms;
    return this;
  }
}
