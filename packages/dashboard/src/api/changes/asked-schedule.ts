import { type Duration, OVERLAP_POLICIES } from "@millrace/core";
import type { FleetNewSchedule, FleetScheduleChange } from "../../fleet/fleet-schedules.ts";
import { fields, optionalText, wrong } from "./asked.ts";

const NAMES: readonly string[] = [
  "cron",
  "timezone",
  "jitter",
  "missed",
  "overlap",
  "lateAfter",
  "value",
];

/**
 * What somebody wrote into the fields of a schedule. What is left out or empty stays. What an
 * expression, a zone or a length of time may be is said by whoever stores it.
 *
 * @throws MillraceError `invalid-option`
 */
export function askedSchedule(given: unknown): FleetScheduleChange {
  const body = fields(given, "body");
  const odd = Object.keys(body).find((name) => !NAMES.includes(name));
  if (odd !== undefined) throw wrong(odd.slice(0, 50), `one of ${NAMES.join(", ")}`);
  const written = (name: string): string | undefined => {
    const text = optionalText(body, name)?.trim();
    return text === "" ? undefined : text;
  };
  const [cron, timezone, jitter] = [written("cron"), written("timezone"), written("jitter")];
  const [missed, overlap, late] = [written("missed"), written("overlap"), written("lateAfter")];
  const change: FleetScheduleChange = {
    ...(cron === undefined ? {} : { cron }),
    ...(timezone === undefined ? {} : { timezone }),
    ...(jitter === undefined ? {} : { jitter: jitter as Duration }),
    ...(missed === undefined ? {} : { missed: missedOf(missed) }),
    ...(overlap === undefined ? {} : { overlap: overlapOf(overlap) }),
    ...(late === undefined ? {} : { lateAfter: late as Duration }),
    ...(body["value"] === undefined ? {} : { payload: body["value"] }),
  };
  if (Object.keys(change).length === 0) throw wrong("body", "something that changes");
  return change;
}

/**
 * A schedule that is added: its name and its job beside the fields of one that is changed.
 *
 * @throws MillraceError `invalid-option`
 */
export function askedNewSchedule(given: unknown): FleetNewSchedule {
  const { name, job, queue, ...rest } = fields(given, "body");
  const text = (field: string, value: unknown): string => {
    if (typeof value === "string" && value.trim() !== "") return value.trim();
    throw wrong(field, "a text");
  };
  const named = { name: text("name", name), job: text("job", job), queue: text("queue", queue) };
  const { cron, ...timing } = askedSchedule(rest);
  return { ...named, ...timing, cron: text("cron", cron) };
}

function missedOf(text: string): NonNullable<FleetScheduleChange["missed"]> {
  if (text === "skip" || text === "once") return text;
  const [, all] = /^all:([1-9]\d{0,3})$/.exec(text) ?? [];
  if (all === undefined) throw wrong("missed", "skip, once or all:n, such as all:10");
  return { all: Number(all) };
}

function overlapOf(text: string): NonNullable<FleetScheduleChange["overlap"]> {
  const known = OVERLAP_POLICIES.find((one) => one === text);
  if (known === undefined) throw wrong("overlap", `one of ${OVERLAP_POLICIES.join(", ")}`);
  return known;
}
