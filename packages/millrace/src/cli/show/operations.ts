import type { Mask } from "@millrace/telemetry/masking";
import type { Operation } from "../../client/operations/operation.ts";
import type { Report } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import type { Paint } from "../io.ts";
import { clean } from "./clean.ts";

/** `40 of 500 done, 2 failed`. */
export function howFar({ done, total, gone, failed }: Operation): string {
  return [
    `${done} of ${total} done`,
    ...(gone === 0 ? [] : [`${gone} gone before`]),
    ...(failed === 0 ? [] : [`${failed} failed`]),
  ].join(", ");
}

export function filterText({ filter }: Pick<Operation, "filter">): string {
  return Object.entries(filter)
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(",") : String(value)}`)
    .join(" ");
}

/** What failures say may have secrets that only this configuration knows. */
export function maskedOperation(operation: Operation, mask: Mask): Operation {
  const failures = operation.failures.map((failure) => ({
    ...failure,
    message: mask.text(failure.message),
  }));
  return { ...operation, failures };
}

/** What became of one; it failed where not everything could be changed. */
export function operationReport(stored: Operation, mask: Mask): Report {
  const operation = maskedOperation(stored, mask);
  const { id, failed, failures, progress } = operation;
  const isWhole = progress.state === "done" && failed === 0;
  return {
    json: operation,
    text: (paint: Paint) =>
      [
        ...failures.map(
          ({ id: job, code, message }) =>
            `${paint("red", "failed")} ${clean(job)}: ${clean(message, 500)} (${code})\n`,
        ),
        ...(failed > failures.length
          ? [
              `${failed - failures.length} more failed. Which: millrace operations get ${clean(id)} --items\n`,
            ]
          : []),
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
export function detachedReport(operation: Operation): Report {
  return {
    json: operation,
    text: () =>
      `operation ${operation.id}: ${operation.total} are meant. A dashboard carries it out, or: millrace operations run ${operation.id}\n`,
  };
}
