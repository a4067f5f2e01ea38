import type { ReactElement } from "react";
import type { OperationView } from "../../src/api/views/views.ts";
import { count } from "./number.ts";

const KINDS: Readonly<Record<string, string>> = {
  "dead-retry": "Retry dead letters",
  "dead-discard": "Discard dead letters",
  "jobs-cancel": "Cancel jobs",
  "jobs-reschedule": "Reschedule jobs",
  "retry-undo": "Undo a retry",
  "discard-undo": "Undo a discard",
  "cancel-undo": "Undo a cancel",
};

export function kindWords({ kind }: Pick<OperationView, "kind">): string {
  return KINDS[kind] ?? kind;
}

export function whichWords({ filter }: Pick<OperationView, "filter">): string {
  return Object.entries(filter)
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(",") : String(value)}`)
    .join(" ");
}

/** `40 of 500 done, 2 failed`. */
export function howFar({ done, total, gone, failed }: OperationView): string {
  return [
    `${count(done)} of ${count(total)} done`,
    ...(gone === 0 ? [] : [`${count(gone)} gone before`]),
    ...(failed === 0 ? [] : [`${count(failed)} failed`]),
  ].join(", ");
}

export function OperationProgress({
  operation,
}: {
  readonly operation: OperationView;
}): ReactElement {
  const { total, done, gone, failed } = operation;
  return (
    <>
      <progress
        max={Math.max(total, 1)}
        value={total === 0 ? 1 : done + gone + failed}
        aria-label="How far it is"
      />{" "}
      {howFar(operation)}
    </>
  );
}
