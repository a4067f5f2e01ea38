import type { RecordedSpan } from "../../harness/recorded-span.ts";
import type { RecordedTrace } from "./record-trace.ts";

const WIDTH = 860;
const LABELS = 240;
const RIGHT = 10;
const TOP = 26;
const ROW = 24;
const BAR = 12;
const INDENT = 14;
/** Room for the legend and what the picture says of its times. */
const FOOT = 52;
/** What each start and end takes of the width, whatever the machine took for it. */
const PER_MOMENT = 21;

const STYLE = [
  "svg{background:#fff;font:12px system-ui,sans-serif}text{fill:#24292f}",
  ".quiet{fill:#57606a}.error{fill:#b3261e}line{stroke:#d0d7de}.link{fill:none;stroke:#57606a;stroke-dasharray:3 3}",
  ".server{fill:#57606a}.producer{fill:#b7791f}.consumer{fill:#1f6feb}.internal{fill:#8a7bd1}.failed{stroke:#b3261e;stroke-width:2}",
  "@media(prefers-color-scheme:dark){svg{background:#0d1117}text{fill:#e6edf3}.quiet{fill:#9da7b1}text.error{fill:#ff8b80}line{stroke:#30363d}",
  ".link{stroke:#9da7b1}.server{fill:#9da7b1}.producer{fill:#d9a441}.consumer{fill:#58a6ff}.internal{fill:#a79bea}.failed{stroke:#ff8b80}}",
].join("");
const MEANINGS = [
  ["server", "a request"],
  ["producer", "a job is published"],
  ["consumer", "an attempt"],
  ["internal", "the handler's own span"],
] as const;
const DESCRIPTION =
  "A waterfall of spans. The request publishes order.charge. Its first attempt fails, because the " +
  "bank is busy. The second attempt, 300 ms later, links to the first and succeeds. It enqueues " +
  "order.ship, delayed by 500 ms. The chain goes on with order.receipt.";

interface Row {
  readonly span: RecordedSpan;
  readonly depth: number;
  readonly y: number;
  readonly from: number;
  readonly to: number;
}

/** The trace as an SVG, legible on a light page and on a dark one. */
export function drawTrace({ spans, moments }: RecordedTrace): string {
  const lastMs = moments.at(-1)?.atMs ?? 0;
  const perMs = (WIDTH - LABELS - RIGHT - PER_MOMENT * (moments.length - 1)) / lastMs;
  const at = (index: number): number =>
    Math.round(LABELS + index * PER_MOMENT + (moments[index]?.atMs ?? 0) * perMs);
  const edge = (span: RecordedSpan, what: "start" | "end"): number =>
    at(moments.findIndex((moment) => moment.spanId === span.spanId && moment.what === what));
  const rows = inTree(spans, (span) => edge(span, "start")).map(({ span, depth }, index) => ({
    span,
    depth,
    y: TOP + index * ROW,
    from: edge(span, "start"),
    to: edge(span, "end"),
  }));
  const bottom = TOP + rows.length * ROW;
  const marks = moments.flatMap(({ atMs }, index) =>
    index > 0 && moments[index - 1]?.atMs === atMs ? [] : [mark(at(index), atMs, bottom)],
  );
  const parts = [
    `<svg viewBox="-10 -6 ${WIDTH + 20} ${bottom + FOOT}" role="img" aria-labelledby="title desc" xmlns="http://www.w3.org/2000/svg">`,
    `<title id="title">The trace of one order</title>`,
    `<desc id="desc">${DESCRIPTION}</desc>`,
    `<style>${STYLE}</style>`,
    ...marks,
    ...rows.map(drawRow),
    ...links(rows),
    ...legend(bottom + 20),
  ];
  return `${parts.join("\n")}\n</svg>\n`;
}

/** Each span below its parent, siblings in the order in which they began. */
function inTree(
  spans: readonly RecordedSpan[],
  startOf: (span: RecordedSpan) => number,
): readonly { span: RecordedSpan; depth: number }[] {
  const below = (
    parent: string | undefined,
    depth: number,
  ): { span: RecordedSpan; depth: number }[] =>
    spans
      .filter(({ parentSpanId }) => parentSpanId === parent)
      .toSorted((a, b) => startOf(a) - startOf(b))
      .flatMap((span) => [{ span, depth }, ...below(span.spanId, depth + 1)]);
  return below(undefined, 0);
}

function drawRow({ span, depth, y, from, to }: Row): string {
  const failed = span.status === "ERROR";
  const bar = `<rect class="${span.kind.toLowerCase()}${failed ? " failed" : ""}" x="${from}" y="${y}" width="${to - from}" height="${BAR}" rx="2"/>`;
  const label = `<text x="${depth * INDENT}" y="${y + 10}">${span.name}</text>`;
  const { "job.attempt": attempt } = span.attributes;
  if (attempt === undefined) return label + bar;
  const number = `attempt ${String(attempt)}`;
  const note = failed ? `${number}: ${span.statusMessage}` : number;
  const right = to < WIDTH - 120;
  const place = right ? `x="${to + 6}"` : `x="${from - 6}" text-anchor="end"`;
  return `${label}${bar}<text class="${failed ? "error" : "quiet"}" ${place} y="${y + 10}">${note}</text>`;
}

/** From a span to the earlier one that it links to. */
function links(rows: readonly Row[]): string[] {
  return rows.flatMap((row) =>
    row.span.links.flatMap(({ spanId }) =>
      rows
        .filter(({ span }) => span.spanId === spanId)
        .map(
          (earlier) =>
            `<path class="link" d="M${earlier.to - 4} ${earlier.y + BAR + 2}V${row.y + BAR / 2}H${row.from - 2}"/>`,
        ),
    ),
  );
}

function mark(x: number, atMs: number, bottom: number): string {
  const anchor = x > WIDTH - 60 ? "middle" : "start";
  return `<line x1="${x}" x2="${x}" y1="16" y2="${bottom}"/><text class="quiet" x="${x}" text-anchor="${anchor}" y="11">${atMs} ms</text>`;
}

function legend(y: number): string[] {
  const items = MEANINGS.map(
    ([kind, meaning], index) =>
      `<rect class="${kind}" x="${index * 145}" y="${y - 9}" width="12" height="10" rx="2"/><text x="${index * 145 + 18}" y="${y}">${meaning}</text>`,
  );
  return [
    ...items,
    `<text class="error" x="630" y="${y}">red: failed</text><text x="730" y="${y}">dashed: a link</text>`,
    `<text class="quiet" x="0" y="${y + 22}">Waits are to scale, by the simulated clock. Each start and each end adds the same width to that.</text>`,
  ];
}
