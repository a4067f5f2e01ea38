import {
  type Clock,
  type ExecutionLog,
  type Logger,
  type MetricsCollector,
  MillraceError,
  noMetrics,
  optionNames,
  recordError,
  refuseUnknown,
  requireCount,
  requireMethod,
  silentLogger,
  systemClock,
  unfailingLogger,
} from "@millrace/core";
import type { Mask } from "../masking/create-mask.ts";
import { DEFAULT_SHAPE, draftRecord, isRecorded } from "./draft-record.ts";
import type { RecordHandler } from "./record-handler.ts";
import { RecordLane } from "./record-lane.ts";

/** Who is handed the execution records, and how many wait for one that is slow. */
export interface ExecutionRecordsOptions {
  readonly handlers: readonly RecordHandler[];
  /** Records held for each handler while it is slow or fails. Default 10,000. */
  readonly maxRecords?: number;
  /** The same in characters of JSON, roughly. Default 32 million. */
  readonly maxChars?: number;
  /** Of payload and output each, in characters of JSON. 0 leaves them out. Default 4,096. */
  readonly maxValueChars?: number;
  /** Instead of the usual masking. */
  readonly mask?: Mask;
  /**
   * On a stop, how long what is held may take to be written, where the node waits so long. Default
   * 5 s.
   */
  readonly closeTimeoutMs?: number;
  /** Told what was dropped and why. */
  readonly log?: Logger;
  /** Counts what was dropped, as `millrace_execution_records_dropped_total` by handler. */
  readonly metrics?: MetricsCollector;
  readonly clock?: Clock;
}

const NAMES = optionNames<ExecutionRecordsOptions>({
  ...{ handlers: true, maxRecords: true, maxChars: true, maxValueChars: true, mask: true },
  ...{ closeTimeoutMs: true, log: true, metrics: true, clock: true },
});

/** Lanes know themselves when something is due. */
const WAKE_EVERY_MS = 600_000;

const CLOSE_SHARE = 0.5;

/** The `executionLog` of a node: hands each execution's record to every handler. */
export interface ExecutionRecords extends ExecutionLog {
  /** Records that were dropped so far, by handler. */
  readonly dropped: Readonly<Record<string, number>>;
}

/**
 * One record per attempt to each of these handlers. A handler that is slow, broken or full touches
 * no job: records wait for it in memory, and those that find no room are dropped, counted and
 * reported.
 *
 * @throws MillraceError `invalid-option`
 * @example
 * const executionLog = executionRecords({ handlers: [ndjsonRecords({ dir: "records" })], log });
 * createNode({ jobs, executionLog });
 */
export function executionRecords(options: ExecutionRecordsOptions): ExecutionRecords {
  const {
    handlers,
    maxRecords = 10_000,
    maxChars = 32_000_000,
    maxValueChars = DEFAULT_SHAPE.maxValueChars,
    mask = DEFAULT_SHAPE.mask,
    closeTimeoutMs = 5_000,
    metrics = noMetrics,
    clock = systemClock,
  } = options;
  const log = unfailingLogger(options.log ?? silentLogger);
  refuseUnknown(options, NAMES, "executionRecords()");
  if (!Array.isArray(handlers))
    throw new MillraceError("invalid-option", "handlers: must be a list of handlers.");
  for (const [place, handler] of handlers.entries())
    requireMethod<RecordHandler>(handler, `handlers[${place}]`, "write");
  requireCount(maxRecords, "maxRecords");
  requireCount(maxChars, "maxChars");
  requireCount(maxValueChars, "maxValueChars", 0);
  requireCount(closeTimeoutMs, "closeTimeoutMs", 0);
  const lanes = handlers.map((handler) => ({
    handler,
    lane: new RecordLane({ handler, maxRecords, maxChars, clock, log, metrics }),
  }));
  const wakeAll = (): void => {
    for (const { lane } of lanes) lane.wake();
  };
  // What is too old goes also from a node that has nothing to record.
  wakeAll();
  const waking = setInterval(wakeAll, WAKE_EVERY_MS);
  waking.unref();
  let closed: Promise<void> | undefined;
  return {
    get dropped() {
      const dropped: Record<string, number> = {};
      // Of one name there may be several, as in the metric.
      for (const { handler, lane } of lanes)
        dropped[handler.name] = (dropped[handler.name] ?? 0) + lane.dropped;
      return dropped;
    },
    record(execution, envelope, traceId) {
      if (!isRecorded(execution)) return;
      try {
        const draft = draftRecord(execution, envelope, traceId, { maxValueChars, mask });
        for (const { lane } of lanes) lane.add(draft);
      } catch (error) {
        log.error({ job: execution.id, error: recordError(error) }, "no execution record was made");
      }
    },
    close(withinMs = Infinity) {
      clearInterval(waking);
      // What could not be written has to be told before the node has gone.
      const timeoutMs = Math.min(closeTimeoutMs, withinMs * CLOSE_SHARE);
      return (closed ??= Promise.all(lanes.map(({ lane }) => lane.close(timeoutMs))).then(
        () => {},
      ));
    },
  };
}
