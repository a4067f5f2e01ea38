import {
  type DeadLetterResult,
  MillraceError,
  requireId,
  tallyLetters,
  tracePart,
} from "@millrace/core";
import { createMask } from "@millrace/telemetry/masking";
import { audited } from "../../../client/audit.ts";
import { parseDeadFilter } from "../../../client/dead/dead-filter.ts";
import type { DeadLetterFilter } from "../../../client/dead/dead-matching.ts";
import type { Millrace } from "../../../client/millrace.ts";
import type { Operation } from "../../../client/operations/operation.ts";
import { flag } from "../../../config/field-kinds.ts";
import { maskOf } from "../../../config/mask-of.ts";
import { command, type CommandCall, type Report } from "../../command.ts";
import { ASKS_FIRST, confirmed } from "../../confirm.ts";
import { EXIT } from "../../exit-codes.ts";
import { clean } from "../../show/clean.ts";
import { beginHere, runHere } from "../../run-operation.ts";
import { detachedReport, maskedOperation, operationReport } from "../../show/operations.ts";
import { traceWords } from "../../show/trace.ts";
import { withClient } from "../../with-client.ts";
import { withTracedClient } from "../../with-traced-client.ts";
import { filterFlags, filterOf } from "./dead-list.ts";

const selection = {
  ...filterFlags,
  all: { kind: flag, about: "Every letter that fits --queue, --reason and --filter" },
} as const;

const askedSelection = {
  ...selection,
  yes: { kind: flag, about: ASKS_FIRST },
  detach: {
    kind: flag,
    about: "With --all or --filter: write down which, for a dashboard or `operations run` to do",
  },
} as const;

export const deadRetry = command({
  name: "dead retry",
  summary:
    "Give dead jobs a new life: the same payload, attempts at zero; the letter is removed once that is confirmed. --all and --filter ask first",
  usage: "ID… | --all | --filter TERMS",
  args: { min: 0, max: 10_000 },
  flags: askedSelection,
  fields: ["connection", "namespace", "masking", "tracing"],
  examples: [
    ["millrace dead retry invoice-17 invoice-18", "These two"],
    [
      "millrace dead retry --all --queue mail --reason attempts-exhausted --yes",
      "Everything that fits, without asking",
    ],
    [
      `millrace dead retry --filter 'error=TimeoutError message~"bank" age<2h' --yes`,
      "What a bank's trouble has left in the last two hours",
    ],
  ],
  async run(call) {
    requireSelection(call);
    const { yes } = call.flags;
    if (call.args.length === 0 && !(await confirmed(call.io, yes, `Retry ${meant(call)}?`)))
      return nothing("retried");
    if (call.args.length === 0) return settleAll(call, "dead-retry");
    return settleLetters(call, "retried", (client, filter) => client.dead.retry(filter));
  },
});

export const deadDiscard = command({
  name: "dead discard",
  summary: "Remove dead letters for good; asks first where there is a person to ask",
  usage: "ID… | --all | --filter TERMS",
  args: { min: 0, max: 10_000 },
  flags: askedSelection,
  fields: ["connection", "namespace", "masking", "tracing"],
  examples: [["millrace dead discard invoice-17 --yes", "Without asking, as a script needs it"]],
  async run(call) {
    requireSelection(call);
    const forGood = call.args.length === 0 ? "It can be undone for seven days." : "For good.";
    if (!(await confirmed(call.io, call.flags.yes, `Remove ${meant(call)}? ${forGood}`)))
      return nothing("discarded");
    if (call.args.length === 0) return settleAll(call, "dead-discard");
    return settleLetters(call, "discarded", (client, filter) => client.dead.discard(filter));
  },
});

const DONE = { "dead-retry": "retried", "dead-discard": "discarded" } as const;

/** As an operation: it survives the terminal, can be stopped, is on record, and can be undone. */
async function settleAll(
  { flags, config, io }: CommandCall<typeof askedSelection>,
  kind: "dead-retry" | "dead-discard",
): Promise<Report> {
  const filter = filterOf(flags);
  const mask = maskOf(config);
  const start = (client: Millrace): Promise<Operation> => client.operations.start({ kind, filter });
  if (flags.detach === true) return detachedReport(await withClient(config, start), mask);
  return withTracedClient(config, io, async (client) => {
    const begun = await beginHere(io, () => start(client));
    const operation = maskedOperation(await runHere(client, io, begun.id), mask);
    const { id, failures } = operation;
    const items = await client.operations.items(id);
    const done = items.filter(({ outcome }) => outcome === "done");
    const report = operationReport(operation, mask, config.traceUrl);
    return {
      ...report,
      json: {
        operation,
        [DONE[kind]]: done.map(({ id: job, queue }) => ({ id: job, queue })),
        failed: failures.map(({ code, message, ...which }) => ({
          ...which,
          error: { code, message },
        })),
      },
    };
  });
}

function nothing(done: "retried" | "discarded"): Report {
  return {
    json: { [done]: [], failed: [] },
    text: () => `nothing was ${done}\n`,
    exitCode: EXIT.failed,
  };
}

/** In words, for a question. */
function meant({
  args,
  flags: { queue, reason, filter },
}: Pick<CommandCall<typeof selection>, "args" | "flags">): string {
  if (args.length > 0) return args.map((id) => clean(id)).join(", ");
  return `every dead letter${queue === undefined ? "" : ` of queue ${clean(queue)}`}${reason === undefined ? "" : ` with reason ${reason}`}${filter === undefined ? "" : ` that fits ${clean(filter)}`}`;
}

type Act = (client: Millrace, filter: DeadLetterFilter) => Promise<readonly DeadLetterResult[]>;

/** With the trace of the job whose letter it is, where that was traced. */
type TracedResult = DeadLetterResult & { readonly traceId?: string };

async function settleLetters(
  call: CommandCall<typeof selection>,
  done: "retried" | "discarded",
  act: Act,
): Promise<Report> {
  requireSelection(call);
  const filter = filterOf(call.flags);
  const mask = maskOf(call.config);
  const settle = async (client: Millrace): Promise<readonly TracedResult[]> => {
    const each: TracedResult[] = [];
    for (const id of call.args) each.push(...(await settleOne(client, { ...filter, id }, act)));
    return each;
  };
  const intent = {
    action: done === "retried" ? "dead retry" : "dead discard",
    filter: { ...filter, ids: call.args },
  };
  const results = await withTracedClient(call.config, call.io, (client) =>
    audited(client, intent, () => settle(client), tallyLetters),
  );
  const failed = results.filter((result) => !result.ok);
  const succeeded = results.filter((result) => result.ok);
  return {
    json: {
      [done]: succeeded.map(({ id, queue }) => ({ id, queue })),
      failed: failed.map(({ error, ok: _ok, ...which }) => ({
        ...which,
        error: { code: error.code, message: mask.text(error.message) },
      })),
    },
    text: (paint) =>
      [
        ...failed.map(
          ({ id, error, traceId }) =>
            `${paint("red", "failed")} ${id}${traceWords(traceId, call.config.traceUrl)}: ${clean(mask.text(error.message), 500)} (${error.code})\n`,
        ),
        `${done} ${succeeded.length} ${succeeded.length === 1 ? "letter" : "letters"}\n`,
      ].join(""),
    ...(failed.length > 0 ? { exitCode: EXIT.failed } : {}),
  };
}

/**
 * One that isn't there, or that stands for several jobs, fails by itself: the others are still
 * settled.
 */
async function settleOne(
  client: Millrace,
  filter: DeadLetterFilter & { readonly id: string },
  act: Act,
): Promise<readonly TracedResult[]> {
  const { id, queue } = filter;
  let trace: Pick<TracedResult, "traceId"> = {};
  try {
    const letter = await client.dead.show(id, queue === undefined ? {} : { queue });
    trace = tracePart(letter.headers);
    const results = await act(client, filter);
    if (results.length > 0) return results.map((result) => ({ ...result, ...trace }));
    throw new MillraceError("job-not-found", `No dead letter with id ${id} fits the filters.`);
  } catch (error) {
    if (
      !MillraceError.is(error) ||
      (error.code !== "job-not-found" && error.code !== "ambiguous-id")
    )
      throw error;
    return [{ ok: false, id, queue: queue ?? "", ...trace, error }];
  }
}

function requireSelection({
  args,
  flags: { all, filter, detach },
}: Pick<CommandCall<typeof askedSelection>, "args" | "flags">): void {
  if (detach === true && args.length > 0)
    throw new MillraceError(
      "invalid-option",
      "--detach: goes with --all or --filter, not with ids.",
    );
  if ((args.length === 0) !== (all === true || filter !== undefined))
    throw new MillraceError(
      "invalid-option",
      "Give the ids of letters, or --all or --filter, with or without --queue and --reason.",
    );
  for (const id of args) requireId(id);
  // A filter that can't be read is refused before anybody is asked.
  if (filter !== undefined) parseDeadFilter(filter, 0, createMask());
}
