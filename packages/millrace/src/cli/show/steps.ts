import { shownError, type ShowValue } from "@millrace/telemetry/masking";
import type { JobStep } from "../../client/jobs/job-steps.ts";
import type { Paint } from "../io.ts";
import { clean } from "./clean.ts";
import { isoTime } from "./iso-time.ts";
import { shownRef } from "./shown-ref.ts";
import { type Column, table } from "./table.ts";

export function stepsTable(steps: readonly JobStep[], queue: string, paint: Paint): string {
  const columns: readonly Column<JobStep>[] = [
    { title: "STEP", cell: ({ name, n }) => clean(n === 0 ? name : `${name} (${n + 1})`, 200) },
    { title: "STATE", cell: (step) => clean(stateOf(step, queue), 400) },
    { title: "AT", cell: ({ at }) => isoTime(at) },
    { title: "RESULT", cell: (step) => clean(resultOf(step), 200) },
  ];
  return table(columns, steps, paint);
}

export function shownStep(step: JobStep, show: ShowValue): JobStep {
  return {
    ...step,
    ...(step.result === undefined ? {} : { result: show(step.result) }),
    ...(step.error === undefined ? {} : { error: shownError(step.error, show) }),
  };
}

/** Says of steps that there were some, where nothing of them is on record any more. */
export function goneSteps(
  steps: readonly JobStep[] | undefined,
  stepCount: number | undefined,
): readonly (readonly [string, string])[] {
  if (steps !== undefined || stepCount === undefined) return [];
  if (stepCount === 0) return [["steps", "none asked for"]];
  const words =
    "no longer on record: they go when their job has succeeded, is cancelled, or is discarded";
  return [["steps", `${stepCount}, ${words}`]];
}

function stateOf({ state, name, child, until }: JobStep, queue: string): string {
  const deadline = until === undefined ? "" : ` until ${isoTime(until)}`;
  switch (state) {
    case "sleeping":
      return `sleeping${deadline}`;
    case "waiting":
      return `waiting for signal ${name}${deadline}`;
    case "calling":
      return `calling job ${child === undefined ? name : shownRef(child, queue)}${deadline}`;
    default:
      return child === undefined ? state : `${state}, called job ${shownRef(child, queue)}`;
  }
}

function resultOf({ result, error }: JobStep): string {
  if (error !== undefined) return `${error.type}: ${error.message}`;
  return result === undefined ? "-" : JSON.stringify(result);
}
