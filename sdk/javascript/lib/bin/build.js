#!/usr/bin/env node
/**
 * Makes the component of a plugin in JavaScript: `src/plugin.js` under the world of its kind.
 * `sluice plugin build` runs this, then embeds `plugin.toml` and checks the result.
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { giveBack } from "./borrow.js";

const USAGE = "usage: build.js --kind KIND --out FILE [--wit DIR] [PROJECT]";
const SDK = dirname(dirname(fileURLToPath(import.meta.url)));

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { kind: { type: "string" }, wit: { type: "string" }, out: { type: "string" } },
  });
  const { kind, out } = values;
  if (kind === undefined || out === undefined) throw new Error(USAGE);
  const project = resolve(positionals[0] ?? ".");
  const entry = join(project, "vendor/sluice-sdk/entry", `${kind}.js`);
  if (!existsSync(entry)) {
    throw new Error(`${entry} is missing: ${SDK} belongs into vendor/sluice-sdk of the project`);
  }
  const { componentize } = tool(project);
  const { component } = await componentize({
    witPath: resolve(values.wit ?? join(project, "vendor/wit")),
    world: `${kind}-plugin`,
    jsSource: readFileSync(entry, "utf8"),
    jsPath: entry,
    moduleRoot: project,
    // The host speaks the synchronous ABI alone.
    sync: true,
    // A plugin has no clock, files or random numbers; what nobody imports, nobody has to trust.
    stubWasi: true,
    // Half a megabyte less, but with tail calls, which the host does not accept.
    optSize: false,
  });
  writeFileSync(out, giveBack(component));
}

/** componentize-qjs as the project's package-lock.json says. */
function tool(project) {
  try {
    return createRequire(join(project, "package.json"))("componentize-qjs");
  } catch (error) {
    throw new Error(`componentize-qjs cannot be loaded (${error.code}): run \`npm ci\` in ${project}`);
  }
}

main().catch((error) => {
  // The tool's own messages begin with an empty part.
  console.error(`error: ${error.message.replace(/^: /, "")}`);
  process.exitCode = 1;
});
