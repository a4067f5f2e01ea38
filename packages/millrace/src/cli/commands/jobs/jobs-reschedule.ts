import { type Duration, MillraceError } from "@millrace/core";
import type { RescheduleOptions, RescheduleResult } from "../../../client/jobs/reschedule-job.ts";
import type { OperationRequest } from "../../../client/operations/operations.ts";
import { flag, text } from "../../../config/field-kinds.ts";
import { command, type Report } from "../../command.ts";
import { ASKS_FIRST } from "../../confirm.ts";
import { clean } from "../../show/clean.ts";
import { durationText, time } from "../../time-kinds.ts";
import { withClient } from "../../with-client.ts";
import { type AllCall, type AllFlags, changeAll, filterOf } from "./all-that-fit.ts";
import { liveTerms } from "../../completion/filter-terms.ts";

export const jobsReschedule = command({
  name: "jobs reschedule",
  summary:
    "Give a job that waits for its time another one. --all gives it to every one that fits, and asks first",
  usage: "ID | --all",
  args: { min: 0, max: 1 },
  flags: {
    queue: {
      kind: { ...text, placeholder: "<queue>" },
      about: "The job's queue; saves looking for it in all of them. With --all: only of this queue",
    },
    delay: { kind: durationText, about: "Not before this long from now; 0s: now" },
    at: { kind: time, about: "Not before this time" },
    all: { kind: flag, about: "Every delayed job that fits --queue, --name, --filter" },
    name: { kind: { ...text, placeholder: "<job>" }, about: "With --all: only jobs of this name" },
    filter: {
      kind: liveTerms,
      about: "With --all: only jobs that fit, as of jobs list",
    },
    reason: { kind: { ...text, placeholder: "<text>" }, about: "With --all: why, for the audit" },
    yes: { kind: flag, about: ASKS_FIRST },
    detach: {
      kind: flag,
      about: "With --all: write down which, for a dashboard or `operations run` to do",
    },
  },
  fields: ["connection", "namespace", "masking", "tracing"],
  examples: [
    ["millrace jobs reschedule order-7 --delay 1h", "In an hour from now"],
    ["millrace jobs reschedule order-7 --queue mail --delay 0s", "Now"],
    [
      "millrace jobs reschedule --all --queue mail --delay 1d --yes",
      "All that wait for their time; `operations undo` takes it back",
    ],
  ],
  async run(call) {
    const { args, flags, config } = call;
    requireOneForm(call);
    const { queue, delay, at } = flags;
    if ((delay === undefined) === (at === undefined))
      throw new MillraceError("invalid-option", "Give one of --delay and --at.");
    const when = at === undefined ? { delay: delay as Duration } : { at };
    const [id] = args;
    if (id === undefined) return rescheduleAll(call, when);
    const result = await withClient(config, async (client) =>
      client.handle(id, queue ?? (await client.job(id)).queue).reschedule(when),
    );
    return reportOf(result);
  },
});

function reportOf(result: RescheduleResult): Report {
  const { id, queue, notBefore } = result;
  const when = notBefore === undefined ? "now" : `not before ${new Date(notBefore).toISOString()}`;
  return {
    json: result,
    text: (paint) => `${paint("green", "rescheduled")} ${id} on queue ${queue}: ${when}\n`,
  };
}

function requireOneForm({ args, flags }: Pick<AllCall<AllFlags>, "args" | "flags">): void {
  const { all, name, filter, reason, detach } = flags;
  if ((args.length === 1) === (all === true))
    throw new MillraceError(
      "invalid-option",
      "Give a job's id, or --all, with or without --queue, --name and --filter.",
    );
  const isOfAll = [name, filter, reason].some((one) => one !== undefined) || detach === true;
  if (all !== true && isOfAll)
    throw new MillraceError(
      "invalid-option",
      "--name, --filter, --reason and --detach: go with --all.",
    );
}

async function rescheduleAll(
  { flags, config, io }: AllCall<AllFlags>,
  when: RescheduleOptions,
): Promise<Report> {
  const { queue, reason, yes, detach } = flags;
  const of = queue === undefined ? "" : ` of ${clean(queue)}`;
  const request: OperationRequest = {
    kind: "jobs-reschedule",
    filter: filterOf(flags),
    ...when,
    ...(reason === undefined ? {} : { reason }),
  };
  return withClient(config, (client) =>
    changeAll(client, request, {
      ...{ io, config, yes, detach, otherwise: "nothing was rescheduled" },
      question: (count) => `Give ${count} delayed jobs${of} another time?`,
    }),
  );
}
