// What the mended component does is seen in the host: `make languages`.

import assert from "node:assert/strict";
import test from "node:test";

import { giveBack } from "../lib/bin/borrow.js";

const text = (value) => [value.length, ...Buffer.from(value)];
// Two bytes carry any length of these tests.
const section = (id, ...payload) => [id, 0x80 | (payload.length & 0x7f), payload.length >> 7, ...payload];
const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const COMPONENT = [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0];

/** A component that looks like what componentize-qjs writes, with these function bodies. */
function component(run, free, names = ["push_borrow", "export_call", "export_finish"]) {
  const imported = [
    ...names.map((name) => [...text("env"), ...text(`wit_dylib_${name}`), 0, 0]),
    [...text("env"), ...text("memory"), 2, 0, 0],
    [...text("sluice:plugin/context@0.1.0"), ...text("[resource-drop]invocation"), 0, 0],
  ];
  const module = [
    ...HEADER,
    ...section(2, imported.length, ...imported.flat()),
    ...section(7, 2, ...text("a#run"), 0, 4, ...text("cabi_post_a#run"), 0, 5),
    ...section(10, 2, run.length, ...run, free.length, ...free),
  ];
  return Uint8Array.from([...COMPONENT, ...section(1, ...module)]);
}

// No locals; push the borrow; `local.get 1`, `i32.const 0`, run; end.
const RUN = [0, 0x20, 1, 0x41, 0, 0x20, 0, 0x10, 0, 0x20, 1, 0x41, 0, 0x10, 1, 0x0b];
const FREE = [0, 0x20, 0, 0x41, 0, 0x10, 2, 0x0b];

test("a drop stands behind the author's code, and the freeing is left out", () => {
  const mended = giveBack(component(RUN, FREE));
  const run = Buffer.from([0x41, 0, 0x10, 1, 0x20, 0, 0x10, 3, 0x0b]);
  assert.ok(mended.includes(run), mended.toString("hex"));
  assert.ok(mended.includes(Buffer.from([0x41, 0, 0x1a, 0x1a, 0x0b])));
});

test("a number that looks like a call is none", () => {
  const number = [...RUN.slice(0, -1), 0x41, 0x10, 1, 0x0b];
  assert.ok(giveBack(component(number, FREE)).includes(Buffer.from([0x41, 0x10, 1, 0x0b])));
});

test("what does not look like it is refused", () => {
  const called = [0x20, 1, 0x41, 0, 0x10, 1];
  const twice = [...RUN.slice(0, -1), ...called, 0x0b];
  const never = RUN.filter((byte, at) => at < 9 || at > 14);
  for (const [unlike, why] of [
    [Uint8Array.from(COMPONENT), /0 modules drop/],
    [component(RUN, FREE, ["push_borrow", "export_call", "export_end"]), /imports other functions/],
    [component(twice, FREE), /a#run calls the engine in another way/],
    [component(never, FREE), /a#run calls the engine in another way/],
    [component(RUN, [0, 0x0b]), /frees its answer in another way/],
  ]) {
    assert.throws(() => giveBack(unlike), why);
  }
});
