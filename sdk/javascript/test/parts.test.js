import assert from "node:assert/strict";
import test from "node:test";

import { decode, encode, excerpt, findJson, issue, notifier, Request, Response, Unable } from "../lib/index.js";
import { Examination } from "../lib/src/examination.js";
import { equal, show } from "../lib/src/pointer.js";
import { check, ofCall, schema } from "../lib/src/settings.js";
import { Reply, Script } from "../lib/testing.js";

test("long text is cut by characters, and control characters cannot forge lines", () => {
  assert.equal(excerpt("äöüäöü", 3), "äöü…");
  assert.equal(excerpt("ab cd", 3), "ab…");
  assert.equal(excerpt("ab cd", 4), "ab c…");
  assert.equal(excerpt("a\r\nb\u001b[31mc  d\n", 50), "a b [31mc d");
  assert.equal(excerpt("😀😀😀", 2), "😀😀…");
});

test("bytes are read as every decoder reads them", () => {
  const broken = [
    [0x41, 0xff, 0x42], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf0, 0x90, 0x41], [0xc0, 0x80],
    [0xf4, 0x90, 0x80, 0x80], [0xe0, 0x80, 0x80], [0x80, 0xe2, 0x82, 0xac], [0xf0, 0x9f, 0x98],
  ];
  for (const bytes of broken) {
    assert.equal(decode(Uint8Array.from(bytes)), new TextDecoder().decode(Uint8Array.from(bytes)), bytes);
  }
  const text = `€ 😀 ${"ä".repeat(5000)}`;
  assert.equal(decode(encode(text)), text);
  assert.deepEqual(encode(text), new TextEncoder().encode(text));
  assert.equal(decode(encode("\ud800")), "\ufffd");
});

test("a key and a pointer find the same value", () => {
  const document = { status: "ok", a: { b: [1, 2] }, "x/y": 3 };
  for (const [place, value] of [["status", "ok"], ["/status", "ok"], ["/a/b/1", 2], ["x/y", 3], ["/x~1y", 3]]) {
    assert.equal(findJson(document, place), value, place);
  }
  for (const place of ["a/b", "/a/b/01", "/a/b/length", "/status/0", "/toString"]) {
    assert.equal(findJson(document, place), undefined, place);
  }
  assert.equal(show({ b: 1, a: [{ d: 1, c: 2 }] }), '{"a":[{"c":2,"d":1}],"b":1}');
  assert.ok(equal({ a: 1, b: 2 }, { b: 2, a: 1 }) && !equal([1], [2]));
});

const FIELDS = {
  items: {
    type: "array",
    default: [],
    items: { type: "object", properties: { size: { type: "integer", minimum: 0, maximum: 255 } } },
  },
};

test("missing settings are empty settings, and a default is not shared", () => {
  for (const text of ["", " null ", "{}"]) assert.deepEqual(check(FIELDS, undefined, text), []);
  ofCall(FIELDS, "").items.push(1);
  assert.deepEqual(ofCall(FIELDS, ""), { items: [] });
});

test("complaints have a place, a message and a hint, and come all at once", () => {
  const complaints = (text) => check(FIELDS, undefined, text);
  assert.deepEqual(complaints('{"items": [{"size": 1}, {"size": "big"}]}'), [
    issue("/items/1/size", 'invalid type: string "big", expected an integer'),
  ]);
  assert.deepEqual(complaints('{"items": [{}]}'), [issue("/items/0", "missing field `size`", "add `size`")]);
  assert.deepEqual(complaints('{"items": [{"size": 1, "sise": 2}]}'), [
    issue("/items/0/sise", "unknown field `sise`, expected `size`", "remove `sise`, or correct its spelling"),
  ]);
  assert.deepEqual(complaints('{"items": [{"size": 256}], "x": 1}').map((one) => one.pointer), ["/x", "/items/0/size"]);
  assert.equal(complaints("{} {}")[0].pointer, "");
  assert.equal(complaints('{"items": 3}')[0].message, "invalid type: integer `3`, expected a sequence");
});

test("every word of a field counts", () => {
  const refuses = (field, value) => check({ x: field }, undefined, JSON.stringify({ x: value })).length;
  for (const [field, good, bad] of [
    [{ type: "string", enum: ["a", "b"] }, "a", "c"],
    [{ type: "string", minLength: 1 }, "a", ""],
    [{ type: "string", maxLength: 1 }, "😀", "ab"],
    [{ type: "string", pattern: "^/" }, "/x", "x"],
    [{ type: "number", minimum: 0, maximum: 1 }, 0.5, 2],
    [{ type: "integer" }, 1, 1.5],
    [{ type: "boolean" }, true, "true"],
    [{ type: "array", minItems: 1, maxItems: 2 }, [1], [1, 2, 3]],
    [{ type: "object", properties: {} }, {}, { y: 1 }],
  ]) {
    assert.equal(refuses(field, good), 0, JSON.stringify(field));
    assert.equal(refuses(field, bad), 1, JSON.stringify(field));
  }
});

test("own validation runs only on settings that can be read, and a call names the place", () => {
  const own = () => [issue("/items", "no")];
  assert.equal(check(FIELDS, own, "{}").length, 1);
  assert.notEqual(check(FIELDS, own, '{"items": 3}')[0].message, "no");
  assert.throws(
    () => ofCall(FIELDS, '{"items": 3}'),
    (error) => error instanceof Unable && error.error.val.startsWith("settings /items: invalid type"),
  );
});

test("the schema says what is needed", () => {
  const made = schema({ path: { type: "string" }, note: { type: "string", optional: true } });
  assert.deepEqual(made.required, ["path"]);
  assert.equal(made.additionalProperties, false);
  assert.deepEqual(made.properties.note, { type: "string" });
});

const response = (parts) =>
  new Response({ request: "GET / on candidate", status: 200, headers: [], body: encode("{}"), truncated: false, elapsedMs: 1, ...parts });

test("assertions say what was expected and what came", () => {
  const said = (parts, say) => say(new Examination(response(parts))).verdict().join(" ");
  assert.match(said({}, (e) => e.json("/a", [1])), /^fail .*expected \/a to be \[1\], but it is not there; body: \{\}$/);
  assert.match(said({ body: [] }, (e) => e.json("a", 1)), /expected JSON: the body is no JSON.*the body is empty$/);
  assert.match(said({ truncated: true }, (e) => e.contains("x")), /the text "x" in the part of the body that was read, it is missing/);
  assert.match(said({}, (e) => e.lacks("{")), /the text "\{" must not occur, but does/);
  const redirect = { headers: [["location", "https://a.example.com/x"]] };
  assert.match(said(redirect, (e) => e.header("Location", "https://a*")), /^pass/);
  assert.match(said(redirect, (e) => e.header("location", "https://b*")), /expected header location: https:\/\/b\*, came https:\/\/a/);
  assert.match(said({}, (e) => e.header("etag", "x")), /expected header etag: x, but it is not there/);
  const seven = said({}, (e) => Array(7).fill(0).reduce((e) => e.that(false, "", "no"), e));
  assert.match(seven, /no; no; no; no; no; and 2 more/);
});

test("a status becomes the error that fits", () => {
  const tag = (parts) => {
    try {
      return response(parts).accepted().status;
    } catch (error) {
      return error.error.tag;
    }
  };
  assert.equal(tag({ status: 204 }), 204);
  assert.equal(tag({ status: 403 }), "denied");
  assert.equal(tag({ status: 503 }), "unavailable");
  assert.equal(tag({ status: 302 }), "other");
  assert.equal(tag({ status: 404 }), "invalid-config");
  assert.equal(tag({ status: 429 }), "rate-limited");
  assert.throws(() => response({ status: 429, headers: [["retry-after", "7"]] }).accepted(), { message: "7000 ms" });
  assert.throws(() => response({ status: 429, headers: [["retry-after", "soon"]] }).accepted(), { message: "30000 ms" });
  assert.throws(() => response({ status: 429, headers: [["retry-after", "9999999999"]] }).accepted(), { message: "30000 ms" });
  const told = { message: "GET / on candidate answered with status 500: {}" };
  assert.throws(() => response({ status: 500 }).accepted(), told);
});

test("a server that is needed and silent is an outage, and a grant is a person's", () => {
  const ping = notifier({ notify: (client) => client.ask(Request.post("/").on("chat")) && null });
  const error = (tag, val) => new Script().callOn("chat", "POST", "/", Reply.error(tag, val)).play(ping, "notify", {}).error;
  assert.deepEqual(error("timeout"), { tag: "unavailable", val: "chat did not answer in time" });
  assert.match(error("not-granted", "path").val, /speak to chat: path; see plugins\.yaml, target `chat`$/);
  assert.equal(error("not-granted", "path").tag, "denied");
  assert.equal(error("quota").tag, "other");
});
