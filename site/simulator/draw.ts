import { CUSTOMERS, type Span, type StreamJob } from "./stream-job.ts";

const WIDTH = 720;
const LEFT = 44;
const TOP = 6;
const ROW = 6;
const BAR = 5;
const GROUP_GAP = 12;
const AXIS = 22;
/** The shortest time that the picture shows, so that a faster stream looks faster. */
const LEAST_MS = 20_000;
/** Marks on the axis at most. */
const MARKS = 8;

/** What each part of a bar means. The order is the legend's. */
export const MEANINGS: Readonly<Record<Span["what"], string>> = {
  running: "an attempt that succeeds",
  failed: "an attempt that fails",
  queued: "waits for a slot",
  limited: "waits for its cap or rate",
  backoff: "waits for its next attempt",
};

/** The stream as the inside of an SVG: a row for each job, grouped by customer. */
export function drawStream(jobs: readonly StreamJob[]): string {
  const endMs = Math.max(LEAST_MS, ...jobs.flatMap(({ spans }) => spans.map(({ toMs }) => toMs)));
  const at = (ms: number): number => LEFT + Math.round(((WIDTH - LEFT - 2) * ms * 10) / endMs) / 10;
  const parts: string[] = [];
  let y = TOP;
  for (const customer of CUSTOMERS) {
    const own = jobs.filter((job) => job.customer === customer);
    parts.push(`<text x="0" y="${y + 9}">${customer}</text>`);
    for (const job of own) {
      parts.push(...job.spans.map((span) => bar(span, at, y)));
      if (job.end === "dead") parts.push(cross(at(job.spans.at(-1)?.toMs ?? 0), y));
      y += ROW;
    }
    y += GROUP_GAP;
  }
  const stepMs = axisStep(endMs);
  for (let ms = 0; ms <= endMs; ms += stepMs)
    parts.push(
      `<line x1="${at(ms)}" x2="${at(ms)}" y1="${TOP}" y2="${y}"/>`,
      `<text x="${at(ms)}" y="${y + 14}">${ms / 1_000} s</text>`,
    );
  return `<svg viewBox="0 0 ${WIDTH + 20} ${y + AXIS}" role="img" aria-label="${said(jobs)}" xmlns="http://www.w3.org/2000/svg">${parts.join("")}</svg>`;
}

/** What the picture shows, in a sentence. */
export function said(jobs: readonly StreamJob[]): string {
  const count = (end: StreamJob["end"]): number => jobs.filter((job) => job.end === end).length;
  const left = count("unfinished");
  const lastMs = Math.max(...jobs.flatMap(({ spans }) => spans.map(({ toMs }) => toMs)));
  const end =
    left > 0 ? `${left} have not ended after 3 minutes` : `the last ended after ${seconds(lastMs)}`;
  return `${jobs.length} jobs: ${count("succeeded")} succeeded, ${count("dead")} died, ${end}`;
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function bar({ what, fromMs, toMs }: Span, at: (ms: number) => number, y: number): string {
  const width = Math.max(0.5, Math.round((at(toMs) - at(fromMs)) * 10) / 10);
  return `<rect class="${what}" x="${at(fromMs)}" y="${y}" width="${width}" height="${BAR}"/>`;
}

/** A job that died: red alone would say nothing to who can't tell it from green. */
function cross(x: number, y: number): string {
  return `<path class="dead" d="M${x + 2} ${y}l5 5m0 -5l-5 5"/>`;
}

function axisStep(endMs: number): number {
  const steps = [2_000, 5_000, 10_000, 20_000, 30_000];
  return steps.find((step) => endMs / step <= MARKS) ?? 30_000;
}

/** The picture as a file of its own, legible on a light page and on a dark one. */
export function standalone(jobs: readonly StreamJob[]): string {
  return drawStream(jobs).replace(">", `><style>${STYLE}</style>`).concat("\n");
}

const STYLE =
  "svg{background:#fff;font:12px sans-serif}line{stroke:#ddd}.dead{fill:none;stroke:#000}" +
  ".running{fill:#1a7f4b}.failed{fill:#c62828}.queued{fill:#b9c0c9}.limited{fill:#b7791f}" +
  ".backoff{fill:#8a7bd1}";
