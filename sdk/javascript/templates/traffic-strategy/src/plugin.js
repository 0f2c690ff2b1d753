/** Takes traffic over in steps, and back when errors rise. Pure: the same input, the same answer. */

import { hold, issue, proceed, rollback, trafficStrategy } from "sluice-sdk";

export default trafficStrategy({
  settings: {
    percent: {
      type: "array",
      description: "The share of traffic in each step, in percent, rising. The step to 100 comes by itself.",
      items: { type: "integer", minimum: 0, maximum: 99 },
      default: [5, 25, 50],
    },
    holdSeconds: {
      type: "integer",
      description: "How long each step is watched, in seconds.",
      minimum: 0,
      default: 300,
    },
    maxErrorRate: {
      type: "number",
      description: "The sample `error-rate` may be as high as this, from 0 to 1.",
      minimum: 0,
      maximum: 1,
      default: 0.01,
    },
  },

  /** What the fields cannot say about the settings. */
  validate(on) {
    const rises = on.percent.every((share, at) => at === 0 || on.percent[at - 1] < share);
    return rises ? [] : [issue("/percent", "must rise, and stay below 100", "such as [5, 25, 50]")];
  },

  plan(context, on) {
    const step = (percent, holdMs) => ({
      name: `${percent} %`,
      weightBp: percent * 100,
      holdMs,
      checks: true,
    });
    return [...on.percent.map((percent) => step(percent, on.holdSeconds * 1000)), step(100, 0)];
  },

  judge(context, on, step, observations) {
    const last = observations.at(-1);
    if (last === undefined) return hold(step.holdMs);
    if (!last.healthy) return rollback("the new version is not healthy");
    for (const [name, rate] of last.samples) {
      // So that no number at all counts as too many errors.
      if (name === "error-rate" && !(rate <= on.maxErrorRate)) {
        return rollback(`the error rate is ${rate}, at most ${on.maxErrorRate} is allowed`);
      }
    }
    const rest = step.holdMs - last.elapsedMs;
    return rest > 0 ? hold(rest) : proceed();
  },
});
