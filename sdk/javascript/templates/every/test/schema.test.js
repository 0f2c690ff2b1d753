// settings.schema.json is made from the settings in src/plugin.js: `UPDATE=1 npm test` writes it.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import test from "node:test";

import plugin from "../src/plugin.js";

test("the schema says what the settings are", () => {
  const text = `${JSON.stringify(plugin.schema, null, 2)}\n`;
  const file = new URL("../settings.schema.json", import.meta.url);
  if (process.env.UPDATE === "1") writeFileSync(file, text);
  assert.equal(readFileSync(file, "utf8"), text, "run UPDATE=1 npm test");
});
