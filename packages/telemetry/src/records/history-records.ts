import {
  defined,
  type HistoryRecord,
  type HistoryStore,
  optionNames,
  refuseUnknown,
  requireMethod,
} from "@millrace/core";
import { type Mask, createMask } from "../masking/create-mask.ts";
import { boundedValue } from "./bounded-value.ts";
import { type ExecutionRecord, matches } from "./execution-record.ts";
import { isRecorded } from "./draft-record.ts";
import { newest } from "./newest.ts";
import type { RecordHandler, RecordQuery } from "./record-handler.ts";

interface HistoryRecordsOptions {
  readonly mask?: Mask;
}

const NAMES = optionNames<HistoryRecordsOptions>({ mask: true });

/** How many jobs are looked at, at most, for records that fit a filter. */
const MAX_JOBS = 10_000;
const MAX_OUTPUT_CHARS = 4_096;

/**
 * The records that the settlement itself has put into the history stream: nothing to set up,
 * nothing is written twice, and none is ever dropped. They know no payload, and are kept as long as
 * the stream keeps them. A query without an id finds the latest record of each job.
 *
 * @throws MillraceError `invalid-option`
 */
export function historyRecords(
  history: HistoryStore,
  options: HistoryRecordsOptions = {},
): RecordHandler {
  refuseUnknown(options, NAMES, "historyRecords()");
  requireMethod(history, "history", "read");
  const { mask = createMask() } = options;
  return {
    name: "history",
    // What is settled is in the stream before an execution log hears of it.
    write: () => Promise.resolve(),
    query: (query) => queryHistory(history, query, mask),
    close: () => Promise.resolve(),
  };
}

async function queryHistory(
  history: HistoryStore,
  query: RecordQuery,
  mask: Mask,
): Promise<readonly ExecutionRecord[]> {
  const { id, queue, limit } = query;
  const inQueue = queue === undefined ? {} : { queue };
  const fitting = (found: readonly HistoryRecord[]): readonly ExecutionRecord[] =>
    found
      .filter(isRecorded)
      .map((record) => fromHistory(record, mask))
      .filter((record) => matches(record, query));
  if (id !== undefined) return newest(fitting(await history.read({ id, ...inQueue })), limit);
  const latest = await history.recent({ ...inQueue, limit });
  const some = fitting(latest);
  // Of some jobs the latest is no record, or none that fits: then more jobs are looked at.
  if (some.length >= limit || latest.length < limit || limit >= MAX_JOBS)
    return newest(some, limit);
  return newest(fitting(await history.recent({ ...inQueue, limit: MAX_JOBS })), limit);
}

function fromHistory(record: HistoryRecord, mask: Mask): ExecutionRecord {
  const { id, name, queue, node, state, outcome, at, startedAt, durationMs, notBefore } = record;
  const { attempts, generation, sequence, createdAt, reason, error, traceId, parent, output } =
    record;
  return {
    recordId: `${queue}/${id}/${generation}/${sequence ?? 0}`,
    id,
    name,
    queue,
    attempt: attempts + (countsAttempt(record) ? 0 : 1),
    node,
    state,
    outcome,
    ...defined({ createdAt, startedAt }),
    at,
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(state === "requeued" ? { retryDelayMs: Math.max(0, (notBefore ?? at) - at) } : {}),
    ...(reason === undefined ? {} : { reason: mask.text(reason) }),
    ...(error === undefined ? {} : { error: mask.error(error) }),
    ...defined({ traceId, parent }),
    ...(output === undefined
      ? {}
      : { output: mask(boundedValue(output, { left: MAX_OUTPUT_CHARS })) }),
  };
}

/**
 * A history record says how many attempts are counted; only of those that count it is this
 * attempt's own number.
 */
function countsAttempt({ outcome, attempts }: HistoryRecord): boolean {
  return attempts > 0 && ["succeeded", "failed", "timed-out"].includes(outcome);
}
