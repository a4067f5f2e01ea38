import type { RecordedSpan } from "./recorded-span.ts";
import { attemptFaults, type TraceShapeOptions } from "./trace-shape-attempts.ts";
import { isQueued, spanFaults } from "./trace-shape-span.ts";

/**
 * What is wrong with recorded traces, one line a fault; empty where they are as `docs/tracing.md`
 * says. Wants all spans of all processes: one that was not flushed yet is an orphan's missing
 * parent.
 */
export function checkTraces(
  spans: readonly RecordedSpan[],
  options: TraceShapeOptions = {},
): string[] {
  if (spans.length === 0) return ["no spans at all"];
  return [
    ...spans.flatMap(spanFaults),
    ...treeFaults(spans, options),
    ...attemptFaults(spans, options),
  ];
}

/** Every parent is there, each trace has one root, and no child began before its parent. */
function treeFaults(
  spans: readonly RecordedSpan[],
  { foreign = [], simulatedWaits = false }: TraceShapeOptions,
): string[] {
  const faults: string[] = [];
  for (const [traceId, trace] of Map.groupBy(spans, (span) => span.traceId)) {
    const byId = new Map<string, RecordedSpan>();
    for (const span of trace) {
      if (byId.has(span.spanId)) faults.push(`${span.name}: span ${span.spanId} came twice`);
      byId.set(span.spanId, span);
    }
    const roots = new Set<string>();
    for (const span of trace) {
      const { parentSpanId: id } = span;
      const parent = id === undefined ? undefined : byId.get(id);
      if (id === undefined) roots.add(span.spanId);
      else if (parent === undefined && foreign.includes(id)) roots.add(id);
      else if (parent === undefined) faults.push(`${span.name}: its parent ${id} is missing`);
      else if (simulatedWaits && isQueued(span)) continue;
      else if (span.startedAtMs < parent.startedAtMs - CLOCK_MS)
        faults.push(`${span.name}: began before its parent ${parent.name}`);
    }
    if (roots.size > 1) {
      const names = [...roots].map((id) => byId.get(id)?.name ?? `${id} of another`);
      faults.push(`trace ${traceId}: ${roots.size} roots (${names.join(", ")})`);
    }
    for (const span of trace) if (inCycle(span, byId)) faults.push(`${span.name}: is in a cycle`);
  }
  return faults;
}

/** Processes of one machine read one clock, but each anchors it when it starts. */
const CLOCK_MS = 20;

function inCycle(span: RecordedSpan, byId: ReadonlyMap<string, RecordedSpan>): boolean {
  const seen = new Set<string>();
  for (let at: RecordedSpan | undefined = span; at?.parentSpanId !== undefined;) {
    if (seen.has(at.spanId)) return true;
    seen.add(at.spanId);
    at = byId.get(at.parentSpanId);
  }
  return false;
}
