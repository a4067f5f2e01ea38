import { type Duration, MillraceError } from "@millrace/core";
import { jobQueueFlag } from "./job-queue-flag.ts";
import { command } from "../../command.ts";
import { durationText, time } from "../../time-kinds.ts";
import { withClient } from "../../with-client.ts";

export const jobsReschedule = command({
  name: "jobs reschedule",
  summary: "Give a job that waits for its time another one",
  usage: "ID",
  args: { min: 1, max: 1 },
  flags: {
    queue: jobQueueFlag,
    delay: { kind: durationText, about: "Not before this long from now; 0s: now" },
    at: { kind: time, about: "Not before this time" },
  },
  fields: ["connection", "namespace"],
  examples: [
    ["millrace jobs reschedule order-7 --delay 1h", "In an hour from now"],
    ["millrace jobs reschedule order-7 --queue mail --delay 0s", "Now"],
  ],
  async run({ args, flags, config }) {
    const [id = ""] = args;
    const { queue, delay, at } = flags;
    if ((delay === undefined) === (at === undefined))
      throw new MillraceError("invalid-option", "Give one of --delay and --at.");
    const when = at === undefined ? { delay: delay as Duration } : { at };
    const result = await withClient(config, async (client) =>
      client.handle(id, queue ?? (await client.job(id)).queue).reschedule(when),
    );
    const { notBefore } = result;
    return {
      json: result,
      text: (paint) =>
        `${paint("green", "rescheduled")} ${id} on queue ${result.queue}: ${
          notBefore === undefined ? "now" : `not before ${new Date(notBefore).toISOString()}`
        }\n`,
    };
  },
});
