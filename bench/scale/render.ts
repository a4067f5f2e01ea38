import { table } from "../report/table.ts";
import { holds, medianOf } from "./claims.ts";
import type { Claim, Measured } from "./level.ts";

/** A dimension with all that was seen of it. */
export interface Scaling {
  readonly name: string;
  readonly question: string;
  readonly measured: readonly Measured[];
  readonly claims: readonly Claim[];
}

/**
 * As Markdown, for the terminal and for `docs/performance-details.md`: medians over the rounds,
 * then what must hold. A smoke run's figures prove nothing.
 */
export function renderDimension(
  { name, question, measured, claims }: Scaling,
  isSmoke: boolean,
): string {
  const hasExtras = measured.some(({ serverBytesPerWaiting: bytes }) => bytes !== undefined);
  const rows = measured.map((level) => [
    level.level.name,
    count(medianOf(level, (f) => f.perSecond)),
    medianOf(level, (f) => f.nodeCpuUs).toFixed(1),
    medianOf(level, (f) => f.serverCpuUs).toFixed(1),
    medianOf(level, (f) => f.nodeRssMb).toFixed(0),
    medianOf(level, (f) => f.serverRssMb).toFixed(0),
    ...(hasExtras ? [extras(level)] : []),
  ]);
  const head = [
    name,
    "jobs/s",
    "node, µs CPU a job",
    "server, µs CPU a job",
    "a node, MB",
    "server, MB",
    ...(hasExtras ? ["more"] : []),
  ];
  const judged = isSmoke
    ? ["So few jobs say nothing about growth."]
    : claims.map((claim) => claimLine(claim));
  return [question, "", table(head, rows), "", ...judged].join("\n");
}

function extras(level: Measured): string {
  const { serverBytesPerWaiting: bytes, rounds } = level;
  const late = rounds[0]?.latenessMs;
  return [
    ...(bytes === undefined ? [] : [`${count(bytes)} B of the server for each that waits`]),
    ...(late === undefined
      ? []
      : [
          `late p50 ${medianOf(level, (f) => f.latenessMs?.p50).toFixed(0)} ms, p99 ${medianOf(level, (f) => f.latenessMs?.p99).toFixed(0)} ms`,
          `idle ${(medianOf(level, (f) => f.idleShare) * 100).toFixed(1)} % of a core`,
        ]),
  ].join("; ");
}

function claimLine(claim: Claim): string {
  const { says, seen, bound, unit } = claim;
  const goal = "atLeast" in bound ? `≥ ${bound.atLeast}` : `≤ ${bound.atMost}`;
  const suffix = unit === "ratio" || unit === "share" ? "" : ` ${unit}`;
  return `- ${holds(claim) ? "holds" : "DOES NOT HOLD"}: ${says}: ${seen.toFixed(2)}${suffix} (${goal}${suffix})`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}
