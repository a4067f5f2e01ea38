import type { ProgressReport } from "@millrace/core";
import { flag } from "../../../config/field-kinds.ts";
import { jobQueueFlag } from "./job-queue-flag.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import { EXIT } from "../../exit-codes.ts";
import { clean } from "../../show/clean.ts";
import { shownReport, showValue } from "@millrace/telemetry/masking";
import { whileRead } from "../../while-read.ts";
import { withClient } from "../../with-client.ts";

export const jobsProgress = command({
  name: "jobs progress",
  summary:
    "Show what a job's handler reported last, or with --follow all that it reports until it has ended",
  usage: "ID",
  args: { min: 1, max: 1 },
  flags: {
    queue: jobQueueFlag,
    follow: { kind: flag, about: "Go on until the job has ended; with --json all of it then" },
  },
  fields: ["connection", "namespace", "masking"],
  examples: [["millrace jobs progress order-7 --follow", "Watch a job until it has ended"]],
  async run({ args, flags, config, io, json }) {
    const [id = ""] = args;
    const show = showValue(false, maskOf(config));
    return withClient(config, async (client) => {
      const queue = flags.queue ?? (await client.job(id)).queue;
      if (flags.follow !== true) {
        const found = await client.broker.progress.latest({ id, queue });
        const latest = found === undefined ? undefined : shownReport(found, show);
        return {
          json: latest ?? null,
          text: () => (latest === undefined ? "no progress reported\n" : line(latest)),
        };
      }
      const reports: ProgressReport[] = [];
      await whileRead(io, async (ending) => {
        for await (const said of client.handle(id, queue).progress(ending)) {
          const report = shownReport(said, show);
          if (json) reports.push(report);
          else io.out(line(report));
          await io.taken?.();
        }
      });
      return json ? { json: reports, text: () => "" } : EXIT.ok;
    });
  },
});

function line({ at, attempt, value, note }: ProgressReport): string {
  const said = note === undefined ? "" : `  ${clean(note, 1_000)}`;
  return `${new Date(at).toISOString()}  attempt ${attempt}  ${value}${said}\n`;
}
