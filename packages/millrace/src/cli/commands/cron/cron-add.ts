import { DEFAULT_QUEUE } from "@millrace/core";
import { flag, text } from "../../../config/field-kinds.ts";
import { command } from "../../command.ts";
import { withClient } from "../../with-client.ts";
import { changeSchedule } from "./cron-control.ts";
import { timeOf } from "./cron-list.ts";
import { timingFlags, timingOf } from "./cron-timing.ts";
import { parsePayload, payloadText } from "../enqueue.ts";

const flags = {
  queue: {
    kind: { ...text, placeholder: "<queue>" },
    about: `The job's queue (default ${DEFAULT_QUEUE})`,
  },
  ...timingFlags((standard) => ` (default ${standard})`),
  replace: { kind: flag, about: "Replace a schedule of this name" },
} as const;

export const cronAdd = command({
  name: "cron add",
  summary:
    "Store a schedule, for the nodes of the namespace to carry out; the payload is as with enqueue",
  usage: "NAME CRON JOB [PAYLOAD|-|@FILE]",
  args: { min: 3, max: 4 },
  flags,
  fields: ["connection", "namespace"],
  examples: [
    [
      `millrace cron add nightly '0 3 * * *' report '{"kind":"daily"}' --queue reports --timezone Europe/Berlin`,
      "Every night at three, in Berlin",
    ],
    [
      `millrace cron add nightly '0 4 * * *' report --queue reports --replace`,
      "At four from now on",
    ],
  ],
  async run({ args, flags: given, config, io }) {
    const [name = "", cron = "", job = "", source] = args;
    const payload = parsePayload(await payloadText(source, io));
    const next = await withClient(config, async (client) => {
      const queue = given.queue ?? DEFAULT_QUEUE;
      await changeSchedule(client, "cron add", name, () =>
        client.cron.add(
          { name, cron, job, queue, payload, ...timingOf(given) },
          { replace: given.replace === true },
        ),
      );
      return client.cron.next(name, 1);
    });
    return {
      json: { name, next: next[0] ?? null },
      text: (paint) => `${paint("green", "added")} ${name}; next at ${timeOf(next[0])}\n`,
    };
  },
});
