/** The script: what the host would know, and which calls it expects. */

import { Unable } from "../fault.js";
import { Played } from "./played.js";

const digest = (digit) => `sha256:${digit.repeat(64)}`;

const RELEASE = {
  id: "storefront-production-1",
  workload: {
    cluster: "test",
    namespace: "shop",
    kind: "Deployment",
    name: "storefront",
    uid: "00000000-0000-4000-8000-000000000001",
  },
  fromRevision: digest("a"),
  toRevision: digest("b"),
  images: [`registry.example.com/shop/storefront@${digest("b")}`],
  subjectDigest: digest("c"),
};

/** A host that plays a script: settings `{}`, the release of `storefront`, ten seconds, no calls. */
export class Script {
  constructor() {
    this.given = { settings: "{}", release: RELEASE, attributes: [], remainingMs: 10_000 };
    this.expected = [];
    this.requests = [];
    this.log = [];
    this.handler = undefined;
  }

  settings(value) {
    this.given.settings = JSON.stringify(value);
    return this;
  }

  /** Changes parts of the release. */
  release(parts) {
    this.given.release = { ...this.given.release, ...parts };
    return this;
  }

  attribute(name, value) {
    this.given.attributes.push([name, value]);
    return this;
  }

  /** The time for the whole call, in milliseconds. */
  remainingMs(ms) {
    this.given.remainingMs = ms;
    return this;
  }

  /** Expects, as the next call, a request to the candidate. */
  call(method, path, reply) {
    return this.callOn("candidate", method, path, reply);
  }

  /** Expects, as the next call, a request to this target. */
  callOn(target, method, path, reply) {
    this.expected.push([`${method} ${path} on ${target}`, reply]);
    return this;
  }

  /** Expects, as the next call, a look at this target's certificates. */
  inspect(target, reply) {
    this.expected.push([`certificate of ${target}`, reply]);
    return this;
  }

  /** Answers every request with a function instead of a list. */
  answerWith(handler) {
    this.handler = handler;
    return this;
  }

  /** Plays a smoke test. */
  run(plugin) {
    return this.play(plugin, "run");
  }

  /**
   * Plays any export: `play(plugin, "poll", "ticket")`.
   *
   * @returns {Played}
   */
  play(plugin, name, ...given) {
    let answer;
    let error;
    try {
      answer = plugin.calls[name](this.host(), ...given);
    } catch (thrown) {
      // A broken script is the test's business, whatever the plugin made of it.
      if (this.broken !== undefined) throw this.broken;
      if (!(thrown instanceof Unable)) throw thrown;
      error = thrown.error;
    }
    if (this.broken !== undefined) throw this.broken;
    if (this.expected.length > 0) {
      const left = this.expected.map(([line]) => line).join(", ");
      throw new Error(`expected but never sent: ${left}; the plugin: ${shown(answer, error)}`);
    }
    return new Played(answer, error, this.requests, this.log);
  }

  host() {
    const { given } = this;
    return {
      release: () => structuredClone(given.release),
      settings: () => given.settings,
      remainingMs: () => given.remainingMs,
      idempotencyKey: () => `${given.release.id}/test`,
      attributes: () => structuredClone(given.attributes),
      log: (level, message) => void this.log.push([level, message]),
      fetch: (request) => this.fetch(request),
      inspect: (target) => this.take(this.next(`certificate of ${target}`), "chain"),
    };
  }

  fetch(request) {
    const line = `${request.method} ${request.pathAndQuery} on ${request.target}`;
    const reply = this.handler?.(request) ?? this.next(line);
    this.requests.push(request);
    return this.take(reply, "response");
  }

  next(line) {
    const [expected, reply] = this.expected.shift() ?? [];
    if (expected === line) return reply;
    const wanted = expected === undefined ? "no further call was expected" : `expected \`${expected}\``;
    this.broken ??= new Error(`${wanted}, the plugin sent \`${line}\``);
    throw this.broken;
  }

  take({ answer, takesMs }, kind) {
    this.given.remainingMs = Math.max(0, this.given.remainingMs - takesMs);
    if (answer.error !== undefined) throw answer.error;
    return structuredClone(answer[kind]);
  }
}

function shown(answer, error) {
  return JSON.stringify(error ?? answer);
}
