import type { Msg } from "@nats-io/nats-core";
import { readObject } from "../wire/read-object.ts";
import { isRefusal, type PubAck, type RefusalWords, refusal } from "./pub-ack.ts";
import type { ReplyMeaning } from "../requests/in-flight-request.ts";

/** What the server says of a fast batch, or of one message of it. */
export type BatchAnswer =
  /** So many from its start are stored, and no more of it will be. */
  | { readonly kind: "ended"; readonly count: number; readonly ack: PubAck }
  /** This one is not stored. `closes`: that is the end of the batch, which is said next. */
  | {
      readonly kind: "refused";
      readonly place: number;
      readonly meaning: ReplyMeaning<PubAck>;
      readonly closes: boolean;
    }
  /** This one is stored, by a server that knows nothing of batches. */
  | { readonly kind: "alone"; readonly place: number; readonly ack: PubAck }
  /** The server has no such batch, or nobody listened: nothing more will be said of it. */
  | { readonly kind: "lost" }
  /** The stream takes none. */
  | { readonly kind: "closed" }
  /** Another answer follows. */
  | { readonly kind: "nothing" };

interface Said {
  readonly type?: "ack" | "err" | "gap";
  readonly stream?: string;
  readonly seq?: number;
  readonly batch?: string;
  readonly count?: number;
  readonly duplicate?: boolean;
  readonly error?: RefusalWords;
}

const LOST = { kind: "lost" } as const;
const NOTHING = { kind: "nothing" } as const;
const DISABLED = 10205;
/** No such batch: it was ended, forgotten or never begun; too many are open. */
const UNKNOWN = 10208;
const NO_BATCH: ReadonlySet<number> = new Set([UNKNOWN, 10211]);

/** @param subject of the message, for what is said of a refusal */
export function readBatchAnswer(reply: Msg, subject: string): BatchAnswer {
  const said = parsed(reply);
  if (said === undefined) return LOST;
  const { type, error, stream, seq = 0, batch, count = 0, duplicate = false } = said;
  // How far it is, which the end says too; what came before a gap is acknowledged next.
  if (type === "ack" || type === "gap") return NOTHING;
  const place = type === "err" ? seq : placeIn(reply.subject);
  if (isRefusal(error)) {
    const code = error.err_code ?? 0;
    if (code === DISABLED) return { kind: "closed" };
    if (NO_BATCH.has(code)) return LOST;
    return { kind: "refused", place, meaning: refusal(error, subject), closes: type === "err" };
  }
  if (stream === undefined || seq === 0) return LOST;
  const ack = { stream, duplicate, attempts: 1 };
  return batch === undefined
    ? { kind: "alone", place, ack: { ...ack, sequence: seq } }
    : { kind: "ended", count, ack: { ...ack, sequence: 0 } };
}

/** Whether a stream takes batches, as it answers for one that there is not. */
export function takesBatches(reply: Msg): boolean {
  return parsed(reply)?.error?.err_code === UNKNOWN;
}

function parsed(reply: Msg): Said | undefined {
  return readObject(reply.string());
}

/** `….<place>.<operation>.$FI` */
function placeIn(subject: string): number {
  return Number(subject.split(".").at(-3));
}
