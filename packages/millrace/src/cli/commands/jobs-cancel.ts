import type { Duration } from "@millrace/core";
import type { CancelResult } from "../../client/cancel-job.ts";
import { flag, text } from "../../config/field-kinds.ts";
import { command } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { stateColour } from "../show/state-colour.ts";
import { durationText } from "../time-kinds.ts";

import { withClient } from "../with-client.ts";

export const jobsCancel = command({
  name: "jobs cancel",
  summary:
    "Cancel a job, wherever it is: one that waits is not run, one that runs has its signal aborted",
  usage: "ID",
  args: { min: 1, max: 1 },
  flags: {
    queue: {
      kind: { ...text, placeholder: "<queue>" },
      about: "The job's queue; saves looking for it in all of them",
    },
    reason: {
      kind: { ...text, placeholder: "<text>" },
      about: "Why, for the handler and the history",
    },
    wait: { kind: flag, about: "Wait until the job is settled" },
    timeout: {
      kind: durationText,
      about: "With --wait: no longer than this (default: for as long as it takes)",
    },
  },
  fields: ["connection", "namespace"],
  examples: [
    [
      `millrace jobs cancel 0195c1f2-7a55-7c3e-9a1b-3f8f5b0c2d11 --reason withdrawn`,
      "Cancel it and return at once",
    ],
    [
      "millrace jobs cancel order-7 --queue mail --wait --timeout 30s",
      "Wait up to 30 seconds for its end",
    ],
  ],
  async run({ args, flags, config }) {
    const [id = ""] = args;
    const result = await withClient(config, (client) =>
      client.cancel(id, {
        ...(flags.queue === undefined ? {} : { queue: flags.queue }),
        ...(flags.reason === undefined ? {} : { reason: flags.reason }),
        wait: flags.wait === true ? ((flags.timeout as Duration | undefined) ?? true) : false,
      }),
    );
    return {
      json: result,
      // What had ended otherwise could not be cancelled.
      exitCode:
        result.state === "cancelling" || result.state === "cancelled" ? EXIT.ok : EXIT.failed,
      text: (paint) =>
        `${result.id} on queue ${result.queue}: ${
          result.state === "cancelling"
            ? `${paint("yellow", "cancelling")}; a node settles it when its handler stops, or when it reaches the job`
            : `${paint(stateColour(result.state), result.state)}${hint(result.state)}`
        }\n`,
    };
  },
});

function hint(state: Exclude<CancelResult["state"], "cancelling">): string {
  return state === "cancelled" ? "" : ", so there was nothing to cancel";
}
