import { type ReactElement, useState } from "react";
import type { ScheduleView } from "../../src/api/views/views.ts";
import { Action } from "./action.tsx";
import { pathOf } from "../words/paths.ts";

export type Fields = Readonly<
  Record<"cron" | "timezone" | "jitter" | "missed" | "overlap" | "lateAfter", string>
>;

const OVERLAPS: readonly (readonly [string, string])[] = [
  ["allow", "runs beside the one before"],
  ["skip", "is left out while the one before has not ended"],
  ["queue", "waits for the end of the one before"],
  ["cancel", "cancels the one before"],
];

/** Changes when a schedule is due, how it behaves, and what its job is given. */
export function ChangeSchedule({ schedule }: { readonly schedule: ScheduleView }): ReactElement {
  const { name } = schedule;
  const now = fieldsOf(schedule);
  const [written, setWritten] = useState<Partial<Fields>>({});
  const field: Field = (id) => ({
    value: written[id] ?? now[id],
    onChange: ({ target }) => setWritten({ ...written, [id]: target.value }),
  });
  return (
    <Action
      label="Change"
      question={`Change the schedule ${name}?`}
      path={pathOf("schedules", name, "change")}
      body={changedOf(written, now)}
      asksValue="Payload of its jobs, as JSON (left empty, it stays as it is)"
      done={() => `${name} is changed.`}
      onOpen={() => setWritten({})}
    >
      <p>
        From now on, on all nodes. Nothing that was due before is made up for. Jobs that are
        enqueued already run as they are. To undo it, change it back to what the fields say now: the
        audit keeps that.
      </p>
      <TimingFields name={name} field={field} />
    </Action>
  );
}

type Field = (id: keyof Fields) => {
  readonly value: string;
  readonly onChange: (event: { readonly target: { readonly value: string } }) => void;
};

/** When a schedule is due, and how it behaves. */
export function TimingFields({
  name,
  field,
}: {
  readonly name: string;
  readonly field: Field;
}): ReactElement {
  return (
    <>
      <label>
        Cron expression: 5 fields, or 6 with seconds first
        <input ref={focused} required maxLength={200} spellCheck={false} {...field("cron")} />
      </label>
      <label>
        Time zone that it means
        <input
          required
          maxLength={60}
          spellCheck={false}
          placeholder="Europe/Berlin"
          list={`zones-${name}`}
          {...field("timezone")}
        />
        <datalist id={`zones-${name}`}>
          {zones().map((zone) => (
            <option key={zone} value={zone} />
          ))}
        </datalist>
      </label>
      <label>
        What is due while the job before has not ended
        <select {...field("overlap")}>
          {OVERLAPS.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <label>
        What was missed: skip, once, or all:n
        <input required maxLength={10} spellCheck={false} {...field("missed")} />
      </label>
      <label>
        Each time is delayed by up to
        <input required maxLength={20} spellCheck={false} placeholder="30s" {...field("jitter")} />
      </label>
      <label>
        It is late after
        <input
          required
          maxLength={20}
          spellCheck={false}
          placeholder="5s"
          {...field("lateAfter")}
        />
      </label>
    </>
  );
}

/** The dialog was open before its fields were there. */
function focused(input: HTMLInputElement | null): void {
  input?.focus();
}

function fieldsOf(schedule: ScheduleView): Fields {
  const { cron, timezone, jitterMs, lateAfterMs, missed, overlap } = schedule;
  return {
    ...{ cron, timezone, missed, overlap },
    ...{ jitter: durationText(jitterMs), lateAfter: durationText(lateAfterMs) },
  };
}

/** As it is written: `0s`, `30s`, `1500ms`. */
function durationText(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}

/** What was put back is no change. */
function changedOf(written: Partial<Fields>, now: Fields): Partial<Fields> {
  return Object.fromEntries(
    Object.entries(written).filter(([id, value]) => now[id as keyof Fields] !== value),
  );
}

/** Browsers know most of those that nodes do. */
function zones(): readonly string[] {
  return ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")];
}
