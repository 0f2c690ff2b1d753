// What the component is made from. Not for plugin authors: yours is src/plugin.js.
import log from "sluice:plugin/log@0.1.0";

import plugin from "../../../src/plugin.js";
import { exportsOf } from "../src/serve.js";

const made = exportsOf(plugin, "traffic-strategy", { log });

export const settings = made.settings;
export const trafficStrategy = made.calls;
