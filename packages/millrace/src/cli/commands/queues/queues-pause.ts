import { audited } from "../../../client/audit.ts";
import { text } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import { clean } from "../../show/clean.ts";
import { shownMarks } from "../../show/queue-state.ts";
import { withClient } from "../../with-client.ts";

export const queuesPause = command({
  name: "queues pause",
  summary: "Let no node take jobs of a queue until it is resumed; what runs goes on",
  usage: "QUEUE",
  args: { min: 1, max: 1 },
  flags: { reason: { kind: text, about: "Shown wherever the queue is" } },
  fields: ["connection", "namespace", "masking"],
  examples: [["millrace queues pause mail --reason outage", "Until queues resume mail"]],
  async run({ args: [queue = ""], flags: { reason }, config }) {
    const why = reason === undefined ? {} : { reason };
    const controls = await withClient(config, (client) =>
      audited(
        client,
        { action: "queues pause", filter: { queue }, ...why },
        () => client.queues.pause(queue, why),
        () => ({ count: 1 }),
      ),
    );
    return {
      json: { queue, ...shownMarks(controls, maskOf(config)) },
      text: () => `${clean(queue)} is paused\n`,
    };
  },
});

export const queuesResume = command({
  name: "queues resume",
  summary: "End a pause, and open a queue that was closed by a drain",
  usage: "QUEUE",
  args: { min: 1, max: 1 },
  flags: {},
  fields: ["connection", "namespace", "masking"],
  examples: [
    ["millrace queues resume mail", "Nodes take its jobs again, and producers are let in"],
  ],
  async run({ args: [queue = ""], config }) {
    const controls = await withClient(config, (client) =>
      audited(
        client,
        { action: "queues resume", filter: { queue } },
        () => client.queues.resume(queue),
        () => ({ count: 1 }),
      ),
    );
    return {
      json: { queue, ...shownMarks(controls, maskOf(config)) },
      text: () => `${clean(queue)} is open and runs\n`,
    };
  },
});
