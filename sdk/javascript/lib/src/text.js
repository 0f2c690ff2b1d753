/** Text from strangers, made fit for a message; and UTF-8, which QuickJS has no decoder for. */

/** Longest excerpt of a body in a message: enough to recognise an error page, short for a chat. */
export const EXCERPT_CHARS = 200;

/** Longest line of a report. */
export const MESSAGE_CHARS = 1000;

/** Bytes that one call of `fromCharCode` takes: its arguments lie on the stack. */
const CHUNK = 4096;

// Control characters, and what Unicode calls white space.
const GAP =
  /[\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/gu;

/**
 * Cuts `text` to `limit` characters, marks the cut, and turns control characters (line ends,
 * terminal escapes) and runs of white space into one space.
 *
 * @param {string} text
 * @param {number} [limit]
 * @returns {string}
 */
export function excerpt(text, limit = EXCERPT_CHARS) {
  // A character is at most two units, and a gap of any length is one space.
  const tidy = text.replace(GAP, " ").trim();
  const characters = Array.from(tidy.slice(0, 2 * limit + 2));
  if (characters.length <= limit) return tidy;
  return `${characters.slice(0, limit).join("").trimEnd()}…`;
}

/**
 * Bytes as text. What is not UTF-8 becomes replacement characters.
 *
 * @param {Uint8Array | number[]} bytes
 * @returns {string}
 */
export function decode(bytes) {
  let units = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    units += String.fromCharCode.apply(null, bytes.slice(at, at + CHUNK));
  }
  try {
    // The engine's own decoder, by a detour: one byte a character, then as if from an address.
    return decodeURIComponent(escape(units));
  } catch {
    return decodeBroken(bytes);
  }
}

/** As the standard decoder does it: one replacement for each longest start of a character. */
function decodeBroken(bytes) {
  let text = "";
  let at = 0;
  while (at < bytes.length) {
    const [length, code] = sequence(bytes, at);
    text += code < 0 ? "\ufffd" : String.fromCodePoint(code);
    at += length;
  }
  return text;
}

/** The length of the sequence that begins here, and its character; -1 where it is broken. */
function sequence(bytes, at) {
  const first = bytes[at];
  if (first < 0x80) return [1, first];
  const more = first >= 0xc2 && first <= 0xdf ? 1 : (first & 0xf0) === 0xe0 ? 2 : 3;
  if (first < 0xc2 || first > 0xf4) return [1, -1];
  let code = first & (0x3f >> more);
  for (let step = 1; step <= more; step += 1) {
    const next = bytes[at + step];
    // The second byte decides about overlong forms, surrogates and the end of Unicode.
    const low = step > 1 ? 0x80 : first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    const high = step > 1 ? 0xbf : first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    if (next === undefined || next < low || next > high) return [step, -1];
    code = (code << 6) | (next & 0x3f);
  }
  return [more + 1, code];
}

/**
 * Text as UTF-8.
 *
 * @param {string} text
 * @returns {Uint8Array}
 */
export function encode(text) {
  const units = unescape(encodeURIComponent(text.toWellFormed()));
  const bytes = new Uint8Array(units.length);
  for (let at = 0; at < units.length; at += 1) bytes[at] = units.charCodeAt(at);
  return bytes;
}
