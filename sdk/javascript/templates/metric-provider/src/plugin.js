/** Counts the errors of both versions. The verdict is the agent's. */

import { metricProvider, Request, Unable } from "sluice-sdk";

export default metricProvider({
  settings: {
    path: { type: "string", description: "Path of the page that counts." },
  },
  evaluate(client, on, window) {
    const path = `${on.path}?from=${window.fromUnixMs}&to=${window.toUnixMs}`;
    const page = client.ask(Request.get(path).on("metrics")).json();
    // No series means no data: the agent waits. Zeroes would mean "no errors".
    const series = ["stable", "candidate"]
      .filter((role) => page[role] !== undefined)
      .map((role) => ({ role, events: count(page, role, "errors"), total: count(page, role, "total") }));
    return { series, summary: `${series.length} of 2 versions have data` };
  },
});

/** One number, as the metrics server writes it. */
function count(page, role, key) {
  const value = page[role]?.[key];
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw Unable.unavailable(`${role}: \`${key}\` is no count`);
}
