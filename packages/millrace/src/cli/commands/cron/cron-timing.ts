import { defined, type Duration, type MissedPolicy, OVERLAP_POLICIES } from "@millrace/core";
import { type FieldKind, oneOf, text } from "../../../config/field-kinds.ts";
import type { CommandCall } from "../../command.ts";
import { durationText } from "../../time-kinds.ts";

const missedPolicy: FieldKind<MissedPolicy> = {
  placeholder: "<skip|once|all:n>",
  parse(raw) {
    if (raw === "skip" || raw === "once") return raw;
    const all = typeof raw === "string" ? /^all:(\d+)$/.exec(raw)?.[1] : undefined;
    if (all === undefined) throw new Error("must be skip, once or all:n, such as all:10");
    return { all: Number(all) };
  },
  show: (value) => (typeof value === "string" ? value : `all:${value.all}`),
};

/**
 * When a schedule is due beside its expression, and how it behaves.
 *
 * @param or what holds where a flag is not given: of a new schedule the default
 */
export const timingFlags = (or: (standard: string) => string) =>
  ({
    timezone: {
      kind: { ...text, placeholder: "<zone>" },
      about: `IANA time zone such as Europe/Berlin${or("UTC")}`,
    },
    jitter: { kind: durationText, about: `Delay each tick by up to this much${or("none")}` },
    missed: {
      kind: missedPolicy,
      about: `Ticks that fell due while no node led: left out, the latest, the latest n${or("once")}`,
    },
    overlap: {
      kind: oneOf(...OVERLAP_POLICIES),
      about: `A tick whose previous job has not ended${or("allow")}`,
    },
    "late-after": { kind: durationText, about: `From when on a tick is late${or("5s")}` },
  }) as const;

export function timingOf(given: CommandCall<ReturnType<typeof timingFlags>>["flags"]) {
  return {
    ...(given.timezone === undefined ? {} : { timezone: given.timezone }),
    ...(given.jitter === undefined ? {} : { jitter: given.jitter as Duration }),
    ...defined({ missed: given.missed, overlap: given.overlap }),
    ...(given["late-after"] === undefined ? {} : { lateAfter: given["late-after"] as Duration }),
  };
}
