import {
  DEFAULT_MAX_VALUES,
  type Envelope,
  MillraceError,
  type PreparedJob,
  writeEnvelope,
} from "@millrace/core";

/**
 * What a row holds that is no job: a batch; a message that a stream has to store; one for whoever
 * listens.
 */
export type RowKind = "batch" | "message" | "notice";

/** A job's columns, but for the body, which each database takes in a form of its own. */
export interface StoredJob {
  readonly id: string;
  readonly queue: string;
  readonly lane: string | null;
  readonly body: Uint8Array;
  /** JSON. */
  readonly headers: string;
  /** JSON; null where it has no unique key. */
  readonly unique: string | null;
}

/** A row that is no job by itself: the relay knows what to make of it. */
export interface NewRow {
  readonly id: string;
  readonly queue: string;
  readonly kind: RowKind;
  readonly body: Uint8Array;
}

/** What a NATS server lets through by default, less what Millrace adds on a job's way. */
export const DEFAULT_MAX_BYTES = 1_048_576 - 8_192 - 1_024;
/** A header's name and value are followed by their separators. */
const HEADER_OVERHEAD = 4;

/**
 * The row of a job. What the server would refuse is refused here, while the transaction can still
 * be rolled back.
 *
 * @throws MillraceError `payload-too-large`, `unserializable-payload`
 */
export function storedJob({ envelope, unique }: PreparedJob, maxBytes: number): StoredJob {
  const { id, queue, lane, headers } = envelope;
  const rules = { maxValues: DEFAULT_MAX_VALUES, exact: true, wellFormed: true };
  const body = writeEnvelope(envelope, "msgpack", rules);
  const size = body.length + sizeOfHeaders(envelope);
  if (size > maxBytes)
    throw new MillraceError(
      "payload-too-large",
      `The job ${id} (${envelope.name}) takes ${size} bytes with its headers; the limit is ${maxBytes}. Store the data in a table of your own and send a reference to it.`,
    );
  return {
    id,
    queue,
    lane: lane ?? null,
    body,
    headers: JSON.stringify(headers),
    unique: unique === undefined ? null : JSON.stringify(unique),
  };
}

function sizeOfHeaders({ headers, id }: Envelope): number {
  let bytes = Buffer.byteLength(id);
  for (const [name, value] of Object.entries(headers))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value) + HEADER_OVERHEAD;
  return bytes;
}

/** All jobs as one JSON parameter, so that any number of them is one statement. */
export function asParameter(jobs: readonly StoredJob[], encoding: "base64" | "hex"): string {
  return JSON.stringify(
    jobs.map(({ body, ...columns }) => ({
      ...columns,
      body: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString(encoding),
    })),
  );
}
