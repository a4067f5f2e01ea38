import { MillraceError } from "../errors/millrace-error.ts";
import { optionNames, refuseUnknown } from "../options/known-options.ts";
import { validate } from "../job/schema.ts";
import type { Schedule, ScheduleOptions, ScheduleTiming } from "./schedule.ts";
import { scheduleDefinition } from "./schedule-definition.ts";

const NAMES = optionNames<ScheduleOptions<unknown, unknown, unknown>>({
  ...{ name: true, cron: true, timezone: true, jitter: true, missed: true, overlap: true },
  ...{ lateAfter: true, job: true, input: true },
});

/**
 * Describes a schedule: enqueues a job at the times of a cron expression, once in the whole fleet.
 * Export it from a job file, or give it to a node as `schedules`.
 *
 * @throws MillraceError `invalid-schedule`, `invalid-name`, `invalid-duration`, naming the field;
 *   `invalid-payload`
 * @example
 * export const nightly = defineSchedule({
 *   name: "nightly-report",
 *   cron: "0 3 * * *",
 *   timezone: "Europe/Berlin",
 *   job: report,
 *   input: { kind: "daily" },
 * });
 */
export function defineSchedule<Input = unknown, Parsed = Input, Output = unknown>(
  options: ScheduleOptions<Input, Parsed, Output>,
): Schedule {
  refuseUnknown(options, NAMES, "defineSchedule()", undefined, "invalid-schedule");
  const { job, input } = options;
  const timing: ScheduleTiming = options;
  if (typeof job !== "object" || job === null || typeof job.name !== "string")
    throw new MillraceError(
      "invalid-schedule",
      `job: must be what defineJob() returned; got ${typeof job}.`,
    );
  const definition = scheduleDefinition({
    ...timing,
    job: job.name,
    queue: job.queue,
    payload: input,
  });
  const schedule: Schedule = { kind: "schedule", name: definition.name, definition, job };
  // A schema that has to wait is asked when a node starts.
  void checkInput(schedule);
  return Object.freeze(schedule);
}

/** @throws MillraceError `invalid-payload` */
export function checkInput({ job, definition }: Schedule): unknown {
  if (job.input === undefined) return undefined;
  const checked: unknown = validate(
    job.input,
    definition.payload,
    "invalid-payload",
    `The input of the schedule ${definition.name} (${job.name})`,
  );
  // Nobody may be waiting for it.
  if (checked instanceof Promise) checked.catch(() => {});
  return checked;
}
