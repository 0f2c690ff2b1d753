/** What is said about one response, and whether it holds. */

import { Unable } from "./fault.js";
import { equal, find, show } from "./pointer.js";
import { excerpt } from "./text.js";

/** Most failures in one message. More would hide the first. */
const MAX_FAILURES = 5;

/** Assertions about one response. Each says what was expected and what came. */
export class Examination {
  /** @param {import("./http.js").Response} response */
  constructor(response) {
    this.response = response;
    this.held = [];
    this.broken = [];
  }

  /** The status is this one, or one of these. @param {...number} codes */
  status(...codes) {
    const came = this.response.status;
    return this.that(
      codes.includes(came),
      `status ${came}`,
      `expected status ${codes.join(" or ")}, came ${came}`,
    );
  }

  /** The JSON value at this pointer (`/a/b`) or top-level key (`a`) is this one. */
  json(place, value) {
    let document;
    try {
      document = this.response.json();
    } catch (error) {
      if (!(error instanceof Unable)) throw error;
      return this.that(false, "", `expected JSON: ${error.message}`);
    }
    const came = find(document, place);
    const wanted = excerpt(show(value));
    const wrong = `expected ${place} to be ${wanted}`;
    return this.that(
      came !== undefined && equal(came, value),
      `${place} is ${wanted}`,
      came === undefined ? `${wrong}, but it is not there` : `${wrong}, came ${excerpt(show(came))}`,
    );
  }

  /** The body contains this text. */
  contains(text) {
    const shown = excerpt(text);
    const cut = this.response.truncated ? " in the part of the body that was read" : "";
    return this.that(
      this.response.text().includes(text),
      `contains "${shown}"`,
      `expected the text "${shown}"${cut}, it is missing`,
    );
  }

  /** The body does not contain this text. */
  lacks(text) {
    const shown = excerpt(text);
    return this.that(
      !this.response.text().includes(text),
      `lacks "${shown}"`,
      `the text "${shown}" must not occur, but does`,
    );
  }

  /** The header has this value; a `*` at the end stands for any ending. */
  header(name, value) {
    const came = this.response.header(name);
    const matches = value.endsWith("*")
      ? came?.startsWith(value.slice(0, -1)) === true
      : came === value;
    const wrong = `expected header ${name}: ${value}`;
    return this.that(
      matches,
      `${name}: ${value}`,
      came === undefined ? `${wrong}, but it is not there` : `${wrong}, came ${excerpt(came)}`,
    );
  }

  /** The whole response took less than this, in milliseconds. */
  fasterThan(ms) {
    const took = this.response.elapsedMs;
    return this.that(
      took < ms,
      `${took} ms`,
      `expected an answer in less than ${ms} ms, it took ${took} ms`,
    );
  }

  /** Anything else: whether it holds, what to say then, and what to say when it does not. */
  that(holds, what, failure) {
    if (holds) this.held.push(what);
    else this.broken.push(failure);
    return this;
  }

  /** The verdict, and a message that says which request, what was expected and what came. */
  verdict() {
    const { request } = this.response;
    if (this.broken.length === 0) {
      return this.held.length === 0
        ? ["inconclusive", `${request}: nothing was expected of it`]
        : ["pass", `${request}: ${this.held.join(", ")}`];
    }
    const shown = this.broken.slice(0, MAX_FAILURES).join("; ");
    const hidden = this.broken.length - MAX_FAILURES;
    const more = hidden > 0 ? `; and ${hidden} more` : "";
    const text = excerpt(this.response.text());
    const body = text === "" ? "the body is empty" : `body: ${text}`;
    return ["fail", `${request}: ${shown}${more}; ${body}`];
  }
}
