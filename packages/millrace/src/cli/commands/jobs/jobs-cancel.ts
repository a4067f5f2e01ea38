import { defined, type Duration, MillraceError } from "@millrace/core";
import type { CancelResult } from "../../../client/jobs/cancel-job.ts";
import { flag, oneOf, text } from "../../../config/field-kinds.ts";
import type { OperationRequest } from "../../../client/operations/operations.ts";
import { LIVE_STATES, type LiveState } from "../../../client/jobs/live-jobs.ts";
import { type AllCall, type AllFlags, changeAll, filterOf } from "./all-that-fit.ts";
import { command, type Report } from "../../command.ts";
import { ASKS_FIRST } from "../../confirm.ts";
import { EXIT } from "../../exit-codes.ts";
import { stateColour } from "../../show/state-colour.ts";
import { clean } from "../../show/clean.ts";
import { durationText } from "../../time-kinds.ts";
import { withClient } from "../../with-client.ts";
import { liveTerms } from "../../completion/filter-terms.ts";

export const jobsCancel = command({
  name: "jobs cancel",
  summary:
    "Cancel a job, wherever it is: one that waits is not run, one that runs has its signal aborted. --all cancels every one that fits, and asks first",
  usage: "ID | --all",
  args: { min: 0, max: 1 },
  flags: {
    queue: {
      kind: { ...text, placeholder: "<queue>" },
      about: "The job's queue; saves looking for it in all of them. With --all: only of this queue",
    },
    reason: {
      kind: { ...text, placeholder: "<text>" },
      about: "Why, for the handler and the history",
    },
    all: { kind: flag, about: "Every job that has not ended and fits --queue, --state, --name" },
    state: { kind: oneOf(...LIVE_STATES), about: "With --all: only jobs that are in it now" },
    name: { kind: { ...text, placeholder: "<job>" }, about: "With --all: only jobs of this name" },
    filter: {
      kind: liveTerms,
      about: "With --all: only jobs that fit, as of jobs list",
    },
    yes: { kind: flag, about: ASKS_FIRST },
    detach: {
      kind: flag,
      about:
        "With --all: only create the operation; a dashboard or `operations run` carries it out",
    },
    wait: { kind: flag, about: "Wait until the job is settled" },
    timeout: {
      kind: durationText,
      about: "With --wait: no longer than this (default: for as long as it takes)",
    },
  },
  fields: ["connection", "namespace", "masking", "tracing"],
  examples: [
    [
      `millrace jobs cancel 0195c1f2-7a55-7c3e-9a1b-3f8f5b0c2d11 --reason withdrawn`,
      "Cancel it and return at once",
    ],
    [
      "millrace jobs cancel order-7 --queue mail --wait --timeout 30s",
      "Wait up to 30 seconds for its end",
    ],
    [
      "millrace jobs cancel --all --queue mail --state delayed --yes",
      "All that wait for their time, without asking",
    ],
  ],
  async run(call) {
    const { args, flags, config } = call;
    requireOneForm(call);
    const [id] = args;
    if (id === undefined) return cancelAll(call);
    const result = await withClient(config, (client) =>
      client.cancel(id, {
        ...defined({ queue: flags.queue, reason: flags.reason }),
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

interface CancelFlags extends AllFlags {
  readonly state?: LiveState;
  readonly wait?: boolean;
  readonly timeout?: string;
}

function requireOneForm({ args, flags }: Pick<AllCall<CancelFlags>, "args" | "flags">): void {
  const { all, state, name, filter, detach, wait, timeout } = flags;
  const isOfAll = [state, name, filter].some((one) => one !== undefined) || detach === true;
  if ((args.length === 1) === (all === true))
    throw new MillraceError(
      "invalid-option",
      "Give a job's id, or --all, with or without --queue, --state, --name and --filter.",
    );
  if (all !== true && isOfAll)
    throw new MillraceError(
      "invalid-option",
      "--state, --name, --filter and --detach: go with --all.",
    );
  if (all === true && (wait === true || timeout !== undefined))
    throw new MillraceError("invalid-option", "--wait and --timeout: go with a job's id.");
}

/** Asks first, because it can't be taken back. */
async function cancelAll({ flags, config, io }: AllCall<CancelFlags>): Promise<Report> {
  const { queue, state, reason, yes, detach } = flags;
  const filter = { ...filterOf(flags), ...(state === undefined ? {} : { state }) };
  const where = queue === undefined ? "" : ` of ${clean(queue)}`;
  const which = `${state === undefined ? "" : `${state} `}jobs${where}`;
  const request: OperationRequest = {
    kind: "jobs-cancel",
    filter,
    ...(reason === undefined ? {} : { reason }),
  };
  return withClient(config, (client) =>
    changeAll(client, request, {
      ...{ io, config, yes, detach, otherwise: "nothing was cancelled" },
      question: (count) => `Cancel ${count} ${which}?`,
    }),
  );
}
