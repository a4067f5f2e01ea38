import { type Mask, shownFilter, showValue } from "@millrace/telemetry/masking";
import type { Operation } from "../../client/operations/operation.ts";
import type { Report } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import type { Paint } from "../io.ts";
import { clean } from "./clean.ts";
import { traceWords } from "./trace.ts";

/** `40 of 500 done, 2 failed`. */
export function howFar({ done, total, gone, failed }: Operation): string {
  return [
    `${done} of ${total} done`,
    ...(gone === 0 ? [] : [`${gone} gone before`]),
    ...(failed === 0 ? [] : [`${failed} failed`]),
  ].join(", ");
}

/** That the look for them was not a whole one; empty where it was. */
export function unansweredLine(nodes: number | undefined): string {
  if (nodes === undefined) return "";
  const who = nodes === 1 ? "1 node" : `${nodes} nodes`;
  return `${who} did not answer: of what ${nodes === 1 ? "it has" : "they have"} in hand some may be missing, or be taken for waiting\n`;
}

export function filterText({ filter }: Pick<Operation, "filter">): string {
  return Object.entries(filter)
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(",") : String(value)}`)
    .join(" ");
}

/** What was looked for, why, and what failures say, may hold what this configuration masks. */
export function maskedOperation(operation: Operation, mask: Mask): Operation {
  const failures = operation.failures.map((failure) => ({
    ...failure,
    message: mask.text(failure.message),
  }));
  const { reason } = operation;
  return {
    ...operation,
    filter: shownFilter(operation.filter, showValue(false, mask)),
    ...(reason === undefined ? {} : { reason: mask.text(reason) }),
    failures,
  };
}

/** The things that could not be changed, each with its reason and its trace. */
export function failureLines(
  { id, failed, failures }: Pick<Operation, "id" | "failed" | "failures">,
  traceUrl: string | undefined,
  paint: Paint,
): string {
  const more = failed - failures.length;
  return [
    ...failures.map(
      ({ id: job, traceId, code, message }) =>
        `${paint("red", "failed")} ${clean(job)}${traceWords(traceId, traceUrl)}: ${clean(message, 500)} (${code})\n`,
    ),
    ...(more > 0
      ? [`${more} more failed. Which: millrace operations get ${clean(id)} --items\n`]
      : []),
  ].join("");
}

/** What became of one; it failed where not everything could be changed. */
export function operationReport(
  stored: Operation,
  mask: Mask,
  traceUrl: string | undefined,
): Report {
  const operation = maskedOperation(stored, mask);
  const { id, failed, progress } = operation;
  const isWhole = progress.state === "done" && failed === 0;
  return {
    json: operation,
    text: (paint: Paint) =>
      [
        failureLines(operation, traceUrl, paint),
        unansweredLine(operation.unanswered),
        `operation ${clean(id)} ${progress.state}: ${howFar(operation)}\n`,
        ...(progress.state === "running" ? [goesOn(id)] : []),
      ].join(""),
    ...(isWhole ? {} : { exitCode: EXIT.failed }),
  };
}

/** After a Ctrl-C: nothing is lost, and nobody may be at it. */
function goesOn(id: string): string {
  const command = `millrace operations`;
  return `It goes on where a dashboard runs. Here: ${command} run ${id}. To leave the rest as it is: ${command} stop ${id}\n`;
}

/** Somebody else carries it out. */
export function detachedReport(operation: Operation, mask: Mask): Report {
  return {
    json: maskedOperation(operation, mask),
    text: () =>
      `${unansweredLine(operation.unanswered)}operation ${operation.id}: ${operation.total} are meant. A dashboard carries it out, or: millrace operations run ${operation.id}\n`,
  };
}
