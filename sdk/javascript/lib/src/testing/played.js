/** What a plugin did and said under a script. */

import { decode } from "../text.js";

/** The outcome of one scripted call. */
export class Played {
  constructor(result, error, requests, log) {
    this.result = result;
    /** Why the plugin could not do its job: the contract's `{tag, val}`. */
    this.error = error;
    /** Every request that it sent, in order, as the host got it. */
    this.requests = requests;
    /** Every line that it logged: level and message. */
    this.log = log;
  }

  /** The answer. Fails the test when the plugin could not do its job. */
  get answer() {
    if (this.error === undefined) return this.result;
    throw new Error(`the plugin could not do its job: ${JSON.stringify(this.error)}`);
  }

  /** The report of a smoke test. */
  get report() {
    return this.answer;
  }

  /** The line of this name. Fails the test when there is none. */
  line(name) {
    const { checks } = this.report;
    const found = checks.find((line) => line.name === name);
    if (found !== undefined) return found;
    throw new Error(`the report has no line "${name}", only ${checks.map((one) => one.name).join(", ")}`);
  }

  /** The JSON body of the request of this number. */
  sent(at = 0) {
    return JSON.parse(decode(this.requests[at].body));
  }
}
