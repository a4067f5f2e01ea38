import type { RecordedSpan } from "./recorded-span.ts";
import { isBulk, isOurs, roleOf } from "./trace-shape-span.ts";

export interface TraceShapeOptions {
  /**
   * Jobs waited by a simulated clock, and spans are timed by the machine's: a wait of an hour ends
   * a moment after the publish. Default false.
   */
  readonly simulatedWaits?: boolean;
  /** How the application under test hands its context on. Default `parent`. */
  readonly propagation?: "parent" | "link" | "none";
  /**
   * Ids of spans that producers of other languages claimed and nobody recorded: parents that need
   * not be there.
   */
  readonly foreign?: readonly string[];
}

/** Ended without spending the attempt: the next one has the same number. */
const UNSPENT = ["snoozed", "interrupted", "lease-lost", "abandoned"];

/**
 * Where a job's attempts hang: the span that created it, one that another program claims, or
 * nothing where it came without a context.
 */
type Creation =
  | { readonly by: "span"; readonly span: RecordedSpan }
  | { readonly by: "foreign"; readonly id: string }
  | { readonly by: "nobody" };

type Say = (fault: string) => void;

/**
 * What the spans of a job say together: one trace a job, n attempts n CONSUMER spans in order, each
 * under what created it.
 */
export function attemptFaults(
  spans: readonly RecordedSpan[],
  options: TraceShapeOptions,
): string[] {
  const ours = spans.filter(isOurs);
  const attempts = ours.filter((span) => roleOf(span) === "process");
  const faults: string[] = [];
  for (const [job, all] of Map.groupBy(attempts, jobOf)) {
    const say = (fault: string): void => void faults.push(`job ${job}: ${fault}`);
    if (options.propagation === "none") {
      sequenceFaults(all, say);
      continue;
    }
    const runs = runsOf(all, spans, options);
    for (const { creation, run } of runs) {
      sequenceFaults(run, say);
      linkFaults(run, say);
      creationFaults(creation, run, options, say);
    }
    replayFaults(
      runs.map(({ creation }) => creation),
      say,
    );
  }
  return [...faults, ...bulkFaults(ours)];
}

/**
 * A replayed dead letter was created again and counts from 1 again: each creation has a run of
 * attempts of its own.
 */
function runsOf(
  attempts: readonly RecordedSpan[],
  spans: readonly RecordedSpan[],
  options: TraceShapeOptions,
): { readonly creation: Creation; readonly run: readonly RecordedSpan[] }[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const creations = new Map(attempts.map((span) => [span, creationOf(span, byId, options)]));
  const runs = Map.groupBy(attempts, (span) => keyOf(creations.get(span)));
  return [...runs.values()].map((run) => ({
    creation: creations.get(run[0] as RecordedSpan) ?? { by: "nobody" },
    run,
  }));
}

function creationOf(
  span: RecordedSpan,
  byId: ReadonlyMap<string, RecordedSpan>,
  { propagation = "parent", foreign = [] }: TraceShapeOptions,
): Creation {
  const ids =
    propagation === "link"
      ? span.links.map(({ spanId }) => spanId)
      : span.parentSpanId === undefined
        ? []
        : [span.parentSpanId];
  for (const id of ids) {
    const found = byId.get(id);
    if (found === undefined && foreign.includes(id)) return { by: "foreign", id };
    if (found === undefined) continue;
    const sibling = isOurs(found) && roleOf(found) === "process" && jobOf(found) === jobOf(span);
    if (!sibling) return { by: "span", span: found };
    // A job without a context: its first attempt began the trace that the others hang in.
    if (propagation === "parent") return creationOf(found, byId, { propagation, foreign });
  }
  return { by: "nobody" };
}

/** 1, 2, 3 … in the order of time, none twice unless it was not spent. */
function sequenceFaults(run: readonly RecordedSpan[], say: Say): void {
  let due = 1;
  for (const span of inOrder(run)) {
    const attempt = Number(span.attributes["job.attempt"]);
    if (attempt !== due) say(`attempt ${attempt} where ${due} was due`);
    due = UNSPENT.includes(String(span.attributes["job.outcome"])) ? attempt : attempt + 1;
  }
}

function linkFaults(run: readonly RecordedSpan[], say: Say): void {
  const all = inOrder(run);
  for (const [index, span] of all.entries()) {
    const before = all[index - 1];
    const attempt = Number(span.attributes["job.attempt"]);
    const after = before?.spanId === span.parentSpanId || linksTo(span, before);
    if (before !== undefined && attempt > 1 && !after)
      say(`attempt ${attempt} has no link to the one before`);
    if (span.links.some(({ spanId }) => spanId === span.parentSpanId))
      say(`attempt ${attempt} has a parent that it links to as well`);
  }
}

function creationFaults(
  creation: Creation,
  run: readonly RecordedSpan[],
  { propagation = "parent" }: TraceShapeOptions,
  say: Say,
): void {
  const traces = new Set(run.map(({ traceId }) => traceId));
  if (propagation === "parent" && traces.size > 1)
    say(`${run.length} attempts in ${traces.size} traces`);
  if (creation.by !== "span") return;
  const { kind, name, traceId } = creation.span;
  // Where `create` spans are turned off, a bulk publish is what its jobs were created by.
  if (kind !== "PRODUCER" && !isBulk(creation.span))
    say(`created by ${kind} ${name}, not by a PRODUCER`);
  if (propagation === "link" && traces.has(traceId))
    say("linked to its creation, and in its trace all the same");
}

/** Created more than once, it was replayed: all but the first creation link to an earlier one. */
function replayFaults(creations: readonly Creation[], say: Say): void {
  const ids = new Set(creations.map(keyOf));
  const unlinked = creations.filter(
    (one) => one.by !== "span" || !one.span.links.some(({ spanId }) => ids.has(spanId)),
  );
  if (unlinked.length > 1) say(`${creations.length} creations that know nothing of each other`);
}

/** An SDK keeps so many links of a span unless `OTEL_SPAN_LINK_COUNT_LIMIT` says otherwise. */
const MOST_LINKS = 128;

/**
 * A bulk publish says how many it covers, and links to as many `create` spans, or to none where
 * those are turned off.
 */
function bulkFaults(ours: readonly RecordedSpan[]): string[] {
  return ours.filter(isBulk).flatMap((span) => {
    const count = span.attributes["messaging.batch.message_count"];
    const { length } = span.links;
    return length === 0 || length === count || (length === MOST_LINKS && Number(count) > length)
      ? []
      : [`${span.name}: publishes ${String(count)} jobs and links to ${length}`];
  });
}

function keyOf(creation: Creation | undefined): string {
  if (creation?.by === "span") return creation.span.spanId;
  return creation?.by === "foreign" ? creation.id : "";
}

function inOrder(run: readonly RecordedSpan[]): RecordedSpan[] {
  return run.toSorted((a, b) => a.startedAtMs - b.startedAtMs);
}

function jobOf(span: RecordedSpan): string {
  return String(span.attributes["job.id"]);
}

function linksTo(span: RecordedSpan, other: RecordedSpan | undefined): boolean {
  return span.links.some(({ spanId }) => spanId === other?.spanId);
}
