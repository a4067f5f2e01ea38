import { shownLine, showValue } from "@millrace/telemetry/masking";
import type { JobLogEntry } from "../../../client/jobs/job-logs.ts";
import { flag, whole } from "../../../config/field-kinds.ts";
import { jobQueueFlag } from "./job-queue-flag.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import { EXIT } from "../../exit-codes.ts";
import { clean } from "../../show/clean.ts";
import { whileRead } from "../../while-read.ts";
import { withClient } from "../../with-client.ts";

const MOST_ATTEMPT = 1_000_000;

export const jobsLogs = command({
  name: "jobs logs",
  summary:
    "Show what a job's handlers logged, or with --follow all that they log until it has ended; nodes keep it with --job-logs",
  usage: "ID",
  args: { min: 1, max: 1 },
  flags: {
    queue: jobQueueFlag,
    attempt: { kind: whole(1, MOST_ATTEMPT), about: "Lines of this attempt only" },
    follow: { kind: flag, about: "Go on until the job has ended; with --json all of it then" },
  },
  fields: ["connection", "namespace", "masking"],
  examples: [["millrace jobs logs order-7 --follow", "Watch a job until it has ended"]],
  async run({ args, flags, config, io, json }) {
    const [id = ""] = args;
    const show = showValue(false, maskOf(config));
    return withClient(config, async (client) => {
      const queue = flags.queue ?? (await client.job(id)).queue;
      const entries: JobLogEntry[] = [];
      let isEmpty = true;
      const follow = flags.follow === true;
      await whileRead(io, async (ending) => {
        for await (const said of client.handle(id, queue).logs({ follow, ...ending })) {
          if (flags.attempt !== undefined && said.attempt !== flags.attempt) continue;
          isEmpty = false;
          const entry = shownLine(said, show);
          if (json) entries.push(entry);
          else io.out(lineOf(entry));
          await io.taken?.();
        }
      });
      if (json) return { json: entries, text: () => "" };
      if (isEmpty) io.err("no lines are kept of this job; nodes keep lines with --job-logs\n");
      return EXIT.ok;
    });
  },
});

function lineOf({ at, attempt, level, message, fields }: JobLogEntry): string {
  const more = fields === undefined ? "" : `  ${clean(JSON.stringify(fields), 4_000)}`;
  const head = `${new Date(at).toISOString()}  attempt ${attempt}  ${level.padEnd(5)}`;
  return `${head}  ${clean(message, 4_000)}${more}\n`;
}
