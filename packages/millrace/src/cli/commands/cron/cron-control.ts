import { defined } from "@millrace/core";
import { audited } from "../../../client/audit.ts";
import type { Millrace } from "../../../client/millrace.ts";
import { command } from "../../command.ts";
import { traceWords } from "../../show/trace.ts";
import { withClient } from "../../with-client.ts";
import { withTracedClient } from "../../with-traced-client.ts";
import { timeOf } from "./cron-list.ts";

const ONE = {
  usage: "NAME",
  args: { min: 1, max: 1 },
  flags: {},
  fields: ["connection", "namespace"],
} as const;

/** A change of one schedule, on record. */
export function changeSchedule<Result>(
  client: Millrace,
  action: `cron ${"add" | "remove" | "pause" | "resume" | "run"}`,
  name: string,
  change: () => Promise<Result>,
): Promise<Result> {
  return audited(client, { action, filter: { name } }, change, () => ({ count: 1 }));
}

export const cronRemove = command({
  ...ONE,
  name: "cron remove",
  summary:
    "Remove a schedule and its state; a node that has it in its code stores it anew when it starts",
  examples: [["millrace cron remove nightly", "Jobs that are enqueued already still run"]],
  async run({ args: [name = ""], config }) {
    await withClient(config, (client) =>
      changeSchedule(client, "cron remove", name, () => client.cron.remove(name)),
    );
    return {
      json: { removed: name },
      text: (paint) => `${paint("green", "removed")} ${name}\n`,
    };
  },
});

export const cronPause = command({
  ...ONE,
  name: "cron pause",
  summary: "Enqueue no tick of a schedule until it is resumed, whichever nodes come and go",
  examples: [["millrace cron pause nightly", "Until millrace cron resume nightly"]],
  async run({ args: [name = ""], config }) {
    await withClient(config, (client) =>
      changeSchedule(client, "cron pause", name, () => client.cron.pause(name)),
    );
    return { json: { paused: name }, text: (paint) => `${paint("yellow", "paused")} ${name}\n` };
  },
});

export const cronResume = command({
  ...ONE,
  name: "cron resume",
  summary: "Go on with the next tick; what was due during the pause is not made up for",
  examples: [["millrace cron resume nightly", "From the next tick on"]],
  async run({ args: [name = ""], config }) {
    const [next] = await withClient(config, async (client) => {
      await changeSchedule(client, "cron resume", name, () => client.cron.resume(name));
      return client.cron.next(name, 1);
    });
    return {
      json: { resumed: name, next: next ?? null },
      text: (paint) => `${paint("green", "resumed")} ${name}; next at ${timeOf(next)}\n`,
    };
  },
});

export const cronRun = command({
  ...ONE,
  fields: ["connection", "namespace", "tracing"],
  name: "cron run",
  summary: "Enqueue a schedule's job now, beside its ticks, paused or not",
  examples: [["millrace cron run nightly", "To try it out"]],
  async run({ args: [name = ""], config, io }) {
    const { id, queue, traceId } = await withTracedClient(
      config,
      io,
      async (client, publishedTrace) => {
        const job = await changeSchedule(client, "cron run", name, () => client.cron.run(name));
        return { id: job.id, queue: job.queue, traceId: publishedTrace(job) };
      },
    );
    const trace = traceWords(traceId, config.traceUrl);
    return {
      json: { id, queue, ...defined({ traceId }) },
      text: (paint) => `${paint("green", "enqueued")} ${id} on queue ${queue}${trace}\n`,
    };
  },
});
