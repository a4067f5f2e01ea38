import { MillraceError } from "@millrace/core";
import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { hearOn } from "../connection/hear-on.ts";
import { machineOf } from "../machine/machine.ts";
import { newInbox } from "../wire/inbox.ts";
import { plainBytes } from "../wire/plain-bytes.ts";
import {
  rawBytes,
  readAppended,
  readHeaders,
  readStatus,
  type ReceivedHeaders,
} from "../wire/read-headers.ts";
import type { StoredMessage } from "./stored-message.ts";

export interface BatchRequest {
  readonly stream: string;
  readonly from: number;
  /** Only messages on subjects that fit. */
  readonly subject?: string;
  readonly batch: number;
}

/** `undefined`: nobody serves batches of this stream, or not all of the batch came. */
export type BatchAnswer =
  { readonly messages: readonly StoredMessage[]; readonly pending: number } | undefined;

/**
 * A batch ends early once it has sent this much: it is held in memory as a whole, and keeps the
 * stream's writers waiting.
 */
const MAX_BYTES = 1024 * 1024;
const TIMEOUT_MS = 5_000;

/**
 * Messages of a stream in one request (2.11 and newer, `allow_direct`). Any member of the stream
 * may answer, also one that is a moment behind.
 *
 * @throws MillraceError `connection-closed`
 */
export async function readBatch(nc: NatsConnection, wanted: BatchRequest): Promise<BatchAnswer> {
  const { stream, from, subject, batch } = wanted;
  if (nc.isClosed())
    throw new MillraceError("connection-closed", "The connection is closed. Connect again.");
  const inbox = newInbox(nc);
  const messages: StoredMessage[] = [];
  const answer = Promise.withResolvers<BatchAnswer>();
  const sub = hearOn(nc, inbox, (error, msg) => {
    if (error !== null) return answer.resolve(undefined);
    const end = endOf(msg);
    if (end !== undefined)
      return answer.resolve(end === "unserved" ? undefined : { messages, pending: end });
    const stored = new BatchMessage(msg);
    // An older member knows no batches: it sends one message and no end.
    if (messages.length === 0 && !stored.ofBatch) return answer.resolve(undefined);
    messages.push(stored);
  });
  const timer = machineOf(nc).clock.setTimer(TIMEOUT_MS, () => answer.resolve(undefined));
  nc.publish(
    `$JS.API.DIRECT.GET.${stream}`,
    JSON.stringify({
      seq: Math.max(1, from),
      ...(subject === undefined ? {} : { next_by_subj: subject }),
      batch,
      max_bytes: MAX_BYTES,
    }),
    { reply: inbox },
  );
  try {
    return await answer.promise;
  } finally {
    timer.cancel();
    if (!nc.isClosed()) sub.unsubscribe();
  }
}

/** How many more there are where this message ends the batch, else undefined. */
function endOf(msg: Msg): number | "unserved" | undefined {
  if (msg.data.length > 0) return undefined;
  const { code } = readStatus(msg);
  // An empty message whose producer began it like a status says where it is stored.
  if (code === 0 || readAppended(msg, PLACE)[0] !== undefined) return undefined;
  if (code === 204) return Number(readHeaders(msg)["nats-num-pending"] ?? 0);
  return code === 404 ? 0 : "unserved";
}

/**
 * Read only as far as it is asked: a search looks at the bytes of nearly all messages and at
 * nothing else.
 */
class BatchMessage implements StoredMessage {
  readonly #msg: Msg;
  #headers: ReceivedHeaders | undefined;
  #appended: readonly (string | undefined)[] | undefined;

  constructor(msg: Msg) {
    this.#msg = msg;
  }

  get subject(): string {
    return this.#place[0] ?? "";
  }

  get sequence(): number {
    return Number(this.#place[1]);
  }

  get storedAt(): number {
    return Date.parse(this.#place[2] ?? "");
  }

  get data(): Uint8Array {
    return plainBytes(this.#msg.data);
  }

  get headers(): ReceivedHeaders {
    return (this.#headers ??= readHeaders(this.#msg));
  }

  /** A server that knows batches says how many are left. */
  get ofBatch(): boolean {
    return this.#place[3] !== undefined;
  }

  shows(bytes: Buffer): boolean {
    return rawBytes(this.#msg).includes(bytes);
  }

  get #place(): readonly (string | undefined)[] {
    return (this.#appended ??= readAppended(this.#msg, PLACE));
  }
}

const PLACE = ["Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Num-Pending"];
