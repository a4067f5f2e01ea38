import { type Leaf, seePayload } from "../filter/seen-payload.ts";
import { type IndexedJob, MOST_CAUSES } from "./indexed-job.ts";
import type { Cargo } from "./index-calls.ts";
import { leafValue } from "./narrow.ts";

/** A row of the table `job`. */
export interface JobRow {
  readonly key: number;
  readonly queue: string;
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly attempts: number;
  readonly at: number;
  readonly created_at: number;
  readonly life: number;
  readonly record: number;
  readonly arrival: number;
  readonly node: string | null;
  readonly duration_ms: number | null;
  readonly error_type: string | null;
  readonly error_message: string | null;
  readonly reason: string | null;
  readonly trace_id: string | null;
  readonly tags: string | null;
  readonly payload: string | null;
  readonly causes: string | null;
  readonly words: string;
}

export type NewRow = Omit<JobRow, "key">;

export function jobOf(row: JobRow): IndexedJob {
  return {
    ...{ id: row.id, queue: row.queue, name: row.name, attempts: row.attempts, at: row.at },
    state: row.state as IndexedJob["state"],
    ...(row.created_at === 0 ? {} : { createdAt: row.created_at }),
    ...(row.node === null ? {} : { node: row.node }),
    ...(row.duration_ms === null ? {} : { durationMs: row.duration_ms }),
    ...(row.error_type === null
      ? {}
      : { error: { type: row.error_type, message: row.error_message ?? "" } }),
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(row.trace_id === null ? {} : { traceId: row.trace_id }),
    ...(row.tags === null ? {} : { tags: JSON.parse(row.tags) as readonly string[] }),
    ...(row.payload === null ? {} : { payload: JSON.parse(row.payload) as unknown }),
    ...(row.causes === null ? {} : { fingerprints: causesOfRow(row) }),
  };
}

/** What the job says of itself; what it carries is added by `withCargo`. */
export function rowOf(
  job: IndexedJob,
  place: Pick<NewRow, "created_at" | "life" | "record" | "arrival">,
): NewRow {
  const { id, queue, name, state, attempts, at, node, durationMs, error, reason, traceId } = job;
  return {
    ...{ id, queue, name, state, attempts, at: Math.trunc(at), ...place },
    node: node ?? null,
    duration_ms: durationMs ?? null,
    error_type: error?.type ?? null,
    error_message: error?.message ?? null,
    reason: reason ?? null,
    trace_id: traceId ?? null,
    ...{ tags: null, payload: null, causes: null, words: "" },
  };
}

export function withCargo(row: NewRow, { payload, tags }: Cargo): NewRow {
  return {
    ...row,
    payload: payload === undefined ? row.payload : JSON.stringify(payload),
    tags: tags === undefined || tags.length === 0 ? row.tags : JSON.stringify(tags),
  };
}

/** The fingerprints of what its attempts failed of. */
export function causesOfRow({ causes }: Pick<NewRow, "causes">): readonly string[] {
  return causes === null ? [] : (JSON.parse(causes) as readonly string[]);
}

/** @returns as the column has them, each once */
export function withCause(causes: string | null, fingerprint: string | undefined): string | null {
  const known = causesOfRow({ causes });
  if (fingerprint === undefined || known.includes(fingerprint) || known.length >= MOST_CAUSES)
    return causes;
  return JSON.stringify([...known, fingerprint].toSorted());
}

/** Where words without a field are looked for: as `INDEX_FIELDS.words` and the payload say. */
export function wordsOf(row: NewRow, leaves: readonly Leaf[]): string {
  const { id, name, queue, error_type, error_message, reason } = row;
  const tags = row.tags === null ? [] : (JSON.parse(row.tags) as readonly string[]);
  const values = leaves.map(({ folded }) => folded.text);
  return [id, name, queue, error_type ?? "", error_message ?? "", reason ?? "", ...tags, ...values]
    .join("\n")
    .toLowerCase();
}

/** Each path with each of its values, once. */
export function leafRows(
  leaves: readonly Leaf[],
): readonly (readonly [path: string, value: string])[] {
  return leaves.map(({ path, value }) => [path, leafValue(value)] as const);
}

/** @param payload as the column has it */
export function leavesOf(payload: NewRow["payload"]): readonly Leaf[] {
  return payload === null ? [] : seePayload(JSON.parse(payload)).leaves;
}
