import type { Verdict } from "../oracle/verdict.ts";
import type { Growth } from "./growth.ts";
import type { Sample } from "./signs.ts";

/** What a soak showed. */
export interface SoakReport {
  readonly seed: number;
  readonly server: string;
  readonly node: string;
  readonly minutes: number;
  readonly perSecond: number;
  readonly phases: number;
  /** Of them without faults. */
  readonly calm: number;
  /** The producer's last word. */
  readonly arrivals: string;
  readonly counts: Verdict["counts"];
  readonly violations: Verdict["violations"];
  /** Phases after whose faults jobs waited for more than a minute, with what was known of them. */
  readonly stalls: readonly { readonly phase: number; readonly diagnosis: string }[];
  /**
   * Dials of the long-lived node that no server answered: the client library may keep something of
   * each.
   */
  readonly vainDials: number;
  readonly signs: readonly Growth[];
  readonly samples: readonly Sample[];
  /** Nothing lost, nothing stuck, nothing run twice without a reason, nothing grown. */
  readonly clean: boolean;
}

const MOST_VIOLATIONS_SHOWN = 20;

/** For people; ends with the verdict. */
export function renderReport(report: SoakReport): string {
  const { counts, violations } = report;
  const lines = [
    `${report.minutes.toFixed(1)} minutes, ${report.perSecond} jobs a second, ${report.phases} phases (${report.calm} without faults), nats-server ${report.server}, Node ${report.node}`,
    report.arrivals,
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", "),
    `${report.vainDials} vain dials of the long-lived node`,
    "",
    ...table(report.signs),
    ...newStreams(report.samples),
    "",
    ...report.stalls.map(({ phase, diagnosis }) => `stalled in phase ${phase}: ${diagnosis}`),
    ...violations
      .slice(0, MOST_VIOLATIONS_SHOWN)
      .map(({ kind, id, detail }) => `${kind}: ${id}: ${detail}`),
    ...(violations.length > MOST_VIOLATIONS_SHOWN
      ? [`… ${violations.length - MOST_VIOLATIONS_SHOWN} violations more`]
      : []),
    `seed ${report.seed}, verdict: ${report.clean ? "clean" : "BROKEN"}`,
  ];
  return lines.join("\n");
}

/** What came in the course of it, by name: a number alone does not say what grows. */
function newStreams(samples: readonly Sample[]): string[] {
  const before = new Set(samples[0]?.server.streams);
  const come = samples.at(-1)?.server.streams.filter((name) => !before.has(name)) ?? [];
  return come.length === 0 ? [] : [`streams that came: ${come.join(", ")}`];
}

function table(signs: readonly Growth[]): string[] {
  const head = ["", "start", "end", "an hour", "grew by", "allowed", ""];
  const rows = signs.map(({ name, unit, start, end, perHour, grown, allowed, flat }) => {
    const show = (value: number): string => `${value.toFixed(1)}${unit === "" ? "" : ` ${unit}`}`;
    const figures = [start, end, perHour, grown, allowed].map(show);
    return [name, ...figures, flat ? "flat" : "GROWS"];
  });
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd(),
  );
}
