/** Places in a JSON document, and its values in a message. */

/**
 * Finds a value by JSON pointer (RFC 6901, begins with `/`), or by the name of a key at the top.
 * Undefined: nothing there.
 *
 * @param {unknown} document
 * @param {string} place
 * @returns {unknown}
 */
export function find(document, place) {
  if (place === "") return document;
  if (!place.startsWith("/")) return child(document, place);
  let value = document;
  for (const step of place.slice(1).split("/")) {
    value = child(value, step.replaceAll("~1", "/").replaceAll("~0", "~"));
    if (value === undefined) return undefined;
  }
  return value;
}

function child(value, step) {
  if (Array.isArray(value)) {
    return /^(0|[1-9][0-9]*)$/.test(step) ? value[Number(step)] : undefined;
  }
  const isObject = typeof value === "object" && value !== null;
  return isObject && Object.hasOwn(value, step) ? value[step] : undefined;
}

/** One more step of a pointer. */
export function push(pointer, step) {
  return `${pointer}/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** Compact JSON with sorted keys, so that every language shows the same value alike. */
export function show(value) {
  return JSON.stringify(sorted(value)) ?? "nothing";
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

/** Equal as values, whatever the order of keys. */
export function equal(a, b) {
  return show(a) === show(b);
}
