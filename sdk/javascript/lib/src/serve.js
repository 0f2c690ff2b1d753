/** Between a component's imports and exports and what an author wrote. Not for plugin authors. */

/** A plugin's world has no clock; without this, asking for one would end the call in a trap. */
function noClock() {
  throw new Error("a plugin has no clock: measure with remainingMs");
}

const { Date: RealDate } = globalThis;
RealDate.now = noClock;
globalThis.performance = { now: noClock };
globalThis.Date = new Proxy(RealDate, {
  apply: noClock,
  construct: (date, given) => (given.length === 0 ? noClock() : new date(...given)),
});

/**
 * The exports of a component, by the names that componentize-qjs looks for.
 *
 * @param {ReturnType<typeof import("./kinds.js").smokeTest>} plugin
 * @param {string} kind of the entry file
 * @param {{http?: object, log: object, tls?: object}} imports
 */
export function exportsOf(plugin, kind, imports) {
  if (plugin?.kind !== kind) {
    const made = plugin?.kind ?? "something else";
    throw new Error(`src/plugin.js makes a ${made}, but plugin.toml says kind = "${kind}"`);
  }
  const answers = Object.entries(plugin.calls).map(([name, call]) => [
    name,
    (invocation, ...rest) => answer(() => call(hostOf(invocation, imports), ...rest)),
  ]);
  return {
    settings: { validate: plugin.validate },
    calls: Object.fromEntries(answers),
  };
}

/** An export throws the contract's error as it is, without a wrapper. */
function answer(call) {
  try {
    return call();
  } catch (error) {
    throw error?.error ?? { tag: "other", val: String(error) };
  }
}

function hostOf(invocation, { http, log, tls }) {
  return {
    release: () => invocation.release(),
    settings: () => invocation.settings(),
    remainingMs: () => invocation.remainingMs(),
    idempotencyKey: () => invocation.idempotencyKey(),
    attributes: () => invocation.attributes(),
    log: (level, message, fields) => log.emit(level, message, fields),
    fetch: (request) => http.fetch(request),
    inspect: (target, timeoutMs) => tls.inspect(target, timeoutMs),
  };
}
