import type { Judged } from "./simulate.ts";

/** What many seeds come to. Those of several processes and runs can be added up. */
export interface Totals {
  readonly seeds: number;
  readonly failing: number;
  readonly jobs: number;
  readonly runs: number;
  readonly faults: number;
  readonly simulatedHours: number;
  /** Of processors, by all threads of all processes. */
  readonly cpuSeconds: number;
  /** The seeds that broke a promise, by kind of violation. */
  readonly broken: Readonly<Record<string, readonly number[]>>;
}

export const NOTHING_YET: Totals = {
  ...{ seeds: 0, failing: 0, jobs: 0, runs: 0, faults: 0, simulatedHours: 0, cpuSeconds: 0 },
  broken: {},
};

/** What one seed comes to. Its processor time isn't in it. */
export function totalsOf(seed: number, { world, violations }: Judged): Totals {
  const began = world.ledger.entries.filter((entry) => entry.is === "began");
  return {
    seeds: 1,
    failing: violations.length > 0 ? 1 : 0,
    jobs: new Set(began.map(({ queue, job }) => `${queue}/${job}`)).size,
    runs: began.length,
    faults: world.struck.length,
    simulatedHours: world.simulatedMs / 3_600_000,
    cpuSeconds: 0,
    broken: Object.fromEntries(violations.map(({ is }) => [is, [seed]])),
  };
}

export function sumOf(one: Totals, other: Totals): Totals {
  const broken = new Map<string, readonly number[]>(Object.entries(one.broken));
  for (const [is, seeds] of Object.entries(other.broken))
    broken.set(is, [...(broken.get(is) ?? []), ...seeds]);
  return {
    seeds: one.seeds + other.seeds,
    failing: one.failing + other.failing,
    jobs: one.jobs + other.jobs,
    runs: one.runs + other.runs,
    faults: one.faults + other.faults,
    simulatedHours: one.simulatedHours + other.simulatedHours,
    cpuSeconds: one.cpuSeconds + other.cpuSeconds,
    broken: Object.fromEntries(broken),
  };
}

/** For people, in one line. */
export function lineOf(totals: Totals): string {
  const { seeds, failing, jobs, runs, faults, simulatedHours, cpuSeconds } = totals;
  const cpuMs = ((cpuSeconds / Math.max(1, seeds)) * 1_000).toFixed(0);
  return `${seeds} seeds, ${failing} failing: ${jobs} jobs, ${runs} runs, ${faults} faults, ${simulatedHours.toFixed(2)} h simulated, ${cpuMs} ms of a processor a seed`;
}

/** For people, a line for each kind of violation. */
export function kindsOf({ broken }: Totals): readonly string[] {
  return Object.entries(broken).map(
    ([is, seeds]) => `  ${is}: ${seeds.length} (${seeds.slice(0, 10).join(" ")})`,
  );
}
