// What the component is made from. Not for plugin authors: yours is src/plugin.js.
import http from "sluice:plugin/http@0.1.0";
import log from "sluice:plugin/log@0.1.0";

import plugin from "../../../src/plugin.js";
import { exportsOf } from "../src/serve.js";

const made = exportsOf(plugin, "approval-provider", { http, log });

export const settings = made.settings;
export const approvalProvider = made.calls;
