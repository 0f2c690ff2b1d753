/** A plugin's settings: declared once, checked at load and read at each call. */

import { Unable } from "./fault.js";
import { equal, push, show } from "./pointer.js";

/**
 * One field, in the words of JSON Schema. A field without `default` must be given, unless it says
 * `optional: true`; then it is `undefined` where it is left out.
 *
 * @typedef {object} Field
 * @property {"string" | "integer" | "number" | "boolean" | "array" | "object"} type
 * @property {string} [description]
 * @property {unknown} [default]
 * @property {boolean} [optional]
 * @property {unknown[]} [enum]
 * @property {number} [minimum]
 * @property {number} [maximum]
 * @property {number} [minLength]
 * @property {number} [maxLength]
 * @property {string} [pattern]
 * @property {Field} [items]
 * @property {number} [minItems]
 * @property {number} [maxItems]
 * @property {Record<string, Field>} [properties]
 */

/**
 * One complaint, in the contract's words.
 *
 * @param {string} pointer JSON pointer into the settings; empty: the whole document.
 * @param {string} message what is wrong.
 * @param {string} [hint] what to write instead.
 */
export function issue(pointer, message, hint = "") {
  return { pointer, message, hint: hint === "" ? null : hint };
}

/**
 * The JSON Schema of the fields, for `settings.schema.json`.
 *
 * @param {Record<string, Field>} fields
 * @param {string} [description]
 */
export function schema(fields, description) {
  const { type, ...rest } = schemaOf({ type: "object", properties: fields });
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    ...(description === undefined ? {} : { description }),
    type,
    ...rest,
  };
}

function schemaOf({ optional, properties, items, ...rest }) {
  if (items !== undefined) rest.items = schemaOf(items);
  if (properties === undefined) return rest;
  const names = Object.keys(properties);
  rest.properties = Object.fromEntries(names.map((name) => [name, schemaOf(properties[name])]));
  const required = names.filter((name) => needed(properties[name]));
  if (required.length > 0) rest.required = required;
  rest.additionalProperties = false;
  return rest;
}

function needed(field) {
  return field.default === undefined && field.optional !== true;
}

/**
 * Reads settings. Nothing at all, or `null`, is the same as `{}`: a pipeline may leave them out.
 *
 * @param {Record<string, Field>} fields
 * @param {string} text
 * @returns {{value: any, issues: ReturnType<typeof issue>[]}} the value counts without issues.
 */
export function read(fields, text) {
  const given = text.trim();
  let document;
  try {
    document = given === "" || given === "null" ? {} : JSON.parse(given);
  } catch (error) {
    return { value: undefined, issues: [issue("", `not one JSON document: ${error.message}`)] };
  }
  const issues = [];
  const value = fit({ type: "object", properties: fields }, document, "", issues);
  return { value, issues };
}

/** All complaints about a document: the fields', and if there are none, the plugin's own. */
export function check(fields, own, text) {
  const { value, issues } = read(fields, text);
  return issues.length > 0 || own === undefined ? issues : own(value);
}

/** The settings of a call. Throws {@link Unable} (invalid-config) at the first complaint. */
export function ofCall(fields, text) {
  const { value, issues } = read(fields, text);
  if (issues.length === 0) return value;
  const place = issues[0].pointer === "" ? "settings" : `settings ${issues[0].pointer}`;
  throw Unable.invalidConfig(`${place}: ${issues[0].message}`);
}

const EXPECTED = {
  string: "a string",
  integer: "an integer",
  number: "a number",
  boolean: "a boolean",
  array: "a sequence",
  object: "a map",
};

/** What a value is, with the value where it is short. */
function found(value) {
  if (value === null) return "null";
  if (Array.isArray(value)) return "sequence";
  if (typeof value === "object") return "map";
  if (typeof value === "string") return `string ${show(value)}`;
  if (typeof value === "boolean") return `boolean \`${value}\``;
  return `${Number.isInteger(value) ? "integer" : "floating point"} \`${value}\``;
}

function isOfType(type, value) {
  if (type === "array") return Array.isArray(value);
  if (type === "integer") return Number.isSafeInteger(value);
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  return typeof value === type;
}

function fit(field, value, pointer, issues) {
  if (!isOfType(field.type, value)) {
    const message = `invalid type: ${found(value)}, expected ${EXPECTED[field.type]}`;
    issues.push(issue(pointer, message));
    return undefined;
  }
  for (const [message, hint] of beyond(field, value)) issues.push(issue(pointer, message, hint));
  if (field.type === "array" && field.items !== undefined) {
    return value.map((item, at) => fit(field.items, item, push(pointer, at), issues));
  }
  if (field.type === "object" && field.properties !== undefined) {
    return fitObject(field.properties, value, pointer, issues);
  }
  return value;
}

function fitObject(properties, value, pointer, issues) {
  const names = Object.keys(properties);
  for (const key of Object.keys(value)) {
    if (Object.hasOwn(properties, key)) continue;
    const message = `unknown field \`${key}\`, ${oneOf(names)}`;
    issues.push(issue(push(pointer, key), message, `remove \`${key}\`, or correct its spelling`));
  }
  const out = {};
  for (const name of names) {
    const field = properties[name];
    if (Object.hasOwn(value, name)) {
      out[name] = fit(field, value[name], push(pointer, name), issues);
    } else if (needed(field)) {
      issues.push(issue(pointer, `missing field \`${name}\``, `add \`${name}\``));
    } else {
      out[name] = structuredCopy(field.default);
    }
  }
  return out;
}

/** So that no call can change the default of the next. */
function structuredCopy(value) {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function oneOf(names) {
  const quoted = names.map((name) => `\`${name}\``);
  if (quoted.length === 0) return "there are no fields";
  if (quoted.length < 3) return `expected ${quoted.join(" or ")}`;
  return `expected one of ${quoted.join(", ")}`;
}

/** What is wrong with a value of the right type, and what to write instead. */
function beyond(field, value) {
  const found = [];
  const size = field.type === "string" ? Array.from(value).length : value.length;
  if (field.enum?.every((one) => !equal(one, value))) {
    found.push([`${show(value)} is not among the choices`, `one of ${field.enum.map(show).join(", ")}`]);
  }
  if (value < field.minimum) found.push([`${value} is too small`, `at least ${field.minimum}`]);
  if (value > field.maximum) found.push([`${value} is too large`, `at most ${field.maximum}`]);
  if (size < (field.minLength ?? 0)) found.push(["too short", `at least ${field.minLength} characters`]);
  if (size > field.maxLength) found.push(["too long", `at most ${field.maxLength} characters`]);
  if (field.pattern !== undefined && !new RegExp(field.pattern, "u").test(value)) {
    found.push([`${show(value)} does not have the form`, `a text that fits ${field.pattern}`]);
  }
  if (size < (field.minItems ?? 0)) found.push(["too few", `at least ${field.minItems}`]);
  if (size > field.maxItems) found.push(["too many", `at most ${field.maxItems}`]);
  return found;
}
