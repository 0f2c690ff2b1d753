/** Asks the new version whether it is healthy. */

import { smokeTest } from "sluice-sdk";

export default smokeTest({
  settings: {
    path: {
      type: "string",
      description: "Path of the page that says how the service is.",
      default: "/health",
    },
    maxMs: {
      type: "integer",
      description: "The page has to answer within this time, in milliseconds.",
      minimum: 0,
      default: 1000,
    },
  },
  run(t, on) {
    const answer = t.get(on.path);
    t.check("health", answer).status(200).json("/status", "ok").fasterThan(on.maxMs);
  },
});
