import type { MachineDocument } from "@millrace/core";
import { type Finding, warn } from "./finding.ts";

/** Of one name, so many are named. */
const NAMED = 3;

interface Kept {
  readonly id: string;
  readonly tries: number;
}

/**
 * Machines that keep a timer, or the end of a job, which their chart could not take. It is tried
 * again until the chart takes it; until then they stand still there. Pure.
 */
export function judgeKept(documents: readonly MachineDocument[]): readonly Finding[] {
  const byMachine = Map.groupBy(documents, ({ machine }) => machine);
  return [...byMachine]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([machine, own]) => {
      const kept = own.flatMap(keptBy).toSorted((a, b) => b.tries - a.tries);
      const [first] = kept;
      return first === undefined ? [] : [found(machine, kept, first)];
    });
}

function keptBy({ id, status, timers }: MachineDocument): readonly Kept[] {
  if (status !== "active") return [];
  const tries = Math.max(0, ...Object.values(timers).map(({ failed = 0 }) => failed));
  return tries === 0 ? [] : [{ id, tries }];
}

function found(machine: string, kept: readonly Kept[], { id, tries }: Kept): Finding {
  const [who, keeps] =
    kept.length === 1 ? ["1 machine", "keeps"] : [`${kept.length} machines`, "keep"];
  const more = kept.length > NAMED ? `, and ${kept.length - NAMED} more` : "";
  const named = kept.slice(0, NAMED).map((one) => one.id);
  return warn(
    `machines ${machine}`,
    `${who} ${keeps} a timer or a job's end that the chart could not take in up to ${tries} tries: ${named.join(", ")}${more}`,
    `See why with millrace machines get ${machine} ${id}. Deploy a chart that takes it: it is tried again by itself, at least once an hour.`,
  );
}
