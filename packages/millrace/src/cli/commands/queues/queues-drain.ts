import { defined } from "@millrace/core";
import type { QueueStatus } from "../../../client/queues/queue-status.ts";
import { audited } from "../../../client/audit.ts";
import { duration, flag, text } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command } from "../../command.ts";
import { EXIT } from "../../exit-codes.ts";
import { interruptible } from "../../serving/interrupt.ts";
import { clean } from "../../show/clean.ts";
import { shownMarks } from "../../show/queue-state.ts";
import { withClient } from "../../with-client.ts";

export const queuesDrain = command({
  name: "queues drain",
  summary: "Close a queue to producers and wait until everything in it has ended; it stays closed",
  usage: "QUEUE",
  args: { min: 1, max: 1 },
  flags: {
    delayed: {
      kind: flag,
      about: "Wait for delayed jobs and retries too, not only for what is due",
    },
    timeout: { kind: duration, about: "Wait no longer; the queue stays closed" },
    reason: { kind: text, about: "Shown wherever the queue is, and to producers" },
  },
  fields: ["connection", "namespace", "masking"],
  examples: [["millrace queues drain mail --timeout 10m", "Exit code 1 where jobs are left then"]],
  async run({ args: [queue = ""], flags: { delayed, timeout, reason }, config, io }) {
    const why = reason === undefined ? {} : { reason };
    const { drained, status } = await interruptible((signal) =>
      withClient(config, (client) =>
        audited(
          client,
          { action: "queues drain", filter: { queue }, ...why },
          () =>
            client.queues.drain(queue, {
              signal,
              onProgress: (now) => io.progress(`${clean(queue)}: ${leftOf(now)}${pausedNote(now)}`),
              ...defined({ delayed, timeout }),
              ...why,
            }),
          () => ({ count: 1 }),
        ),
      ),
    );
    io.progress("");
    return {
      json: { drained, ...shownMarks(status, maskOf(config)) },
      text: () =>
        drained
          ? `${clean(queue)} is drained and closed${status.delayed > 0 ? `; ${status.delayed} delayed jobs are left` : ""}\n`
          : `${clean(queue)} is closed, with ${leftOf(status)} left${pausedNote(status)}\n`,
      ...(drained ? {} : { exitCode: EXIT.failed }),
    };
  },
});

function leftOf({ queued, blocked, running, delayed }: QueueStatus): string {
  return `${queued + blocked} queued or blocked, ${running} running, ${delayed} delayed`;
}

function pausedNote({ paused }: QueueStatus): string {
  return paused === undefined ? "" : "; it is paused, so nothing in it ends";
}
