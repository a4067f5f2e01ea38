import type { PurgeResult } from "@millrace/runtime";
import { audited } from "../../../client/audit.ts";
import { flag } from "../../../config/field-kinds.ts";
import { command } from "../../command.ts";
import { ASKS_FIRST, confirmed } from "../../confirm.ts";
import { EXIT } from "../../exit-codes.ts";
import { interruptible } from "../../serving/interrupt.ts";
import { clean } from "../../show/clean.ts";
import { withClient } from "../../with-client.ts";

export const queuesPurge = command({
  name: "queues purge",
  summary:
    "Cancel what waits in a queue, never what runs, with a record of each; asks first where there is a person to ask",
  usage: "QUEUE",
  args: { min: 1, max: 1 },
  flags: {
    delayed: { kind: flag, about: "Delayed jobs and retries too, not only what is due" },
    yes: { kind: flag, about: ASKS_FIRST },
  },
  fields: ["connection", "namespace"],
  examples: [["millrace queues purge mail --yes", "Without asking, as a script needs it"]],
  async run({ args: [queue = ""], flags: { delayed, yes }, config, io }) {
    return withClient(config, async (client) => {
      const before = await client.queues.snapshot(queue);
      const also = delayed === true ? ` and ${before.delayed} delayed` : "";
      const question = `Cancel ${before.queued + before.blocked} waiting${also} jobs of ${clean(queue)} for good?`;
      if (!(await confirmed(io, yes, question)))
        return {
          json: { queue, cancelled: 0 },
          text: () => "nothing was cancelled\n",
          exitCode: EXIT.failed,
        };
      const purge = (signal: AbortSignal): Promise<PurgeResult> =>
        client.queues.purge(queue, {
          signal,
          onProgress: ({ cancelled, queued, blocked }) =>
            io.progress(`${clean(queue)}: ${cancelled} cancelled, ${queued + blocked} left`),
          ...(delayed === undefined ? {} : { delayed }),
        });
      const result = await interruptible((signal) =>
        audited(
          client,
          { action: "queues purge", filter: { queue, delayed: delayed === true } },
          () => purge(signal),
          ({ cancelled, dead }) => ({ count: cancelled + dead }),
        ),
      );
      io.progress("");
      const { cancelled, dead, deferred, running } = result;
      const left = result.queued + result.blocked;
      const rest = [
        ...(dead === 0 ? [] : [`${dead} unreadable and now dead letters`]),
        ...(deferred === 0 ? [] : [`${deferred} not due and left delayed`]),
        ...(running === 0 ? [] : [`${running} running and left alone`]),
        ...(left === 0 ? [] : [`${left} still waiting`]),
      ];
      return {
        json: { queue, ...result },
        text: () =>
          `cancelled ${cancelled} ${cancelled === 1 ? "job" : "jobs"} of ${clean(queue)}${rest.length === 0 ? "" : `; ${rest.join(", ")}`}\n`,
        ...(left === 0 ? {} : { exitCode: EXIT.failed }),
      };
    });
  },
});
