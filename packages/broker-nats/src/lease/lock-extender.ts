import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { EXPECTED_SEQUENCE } from "../wire/expected-sequence.ts";
import { encodeHeaders, rawHeaders } from "../wire/headers.ts";
import type { LockOrder } from "./lock-order.ts";
import { elapsedMs } from "./shared-clock.ts";
import { NO_MESSAGE, WRONG_SEQUENCE } from "../error-codes.ts";

/** What is known of a lock that is being extended. One a slot, until its next tenant. */
interface Extension {
  readonly generation: number;
  readonly order: LockOrder;
  /** The revision that the next write replaces. */
  token: number;
  sentMs: number | undefined;
}

/** A lock's slot at a turn of the worker. */
interface Turn {
  readonly number: number;
  readonly generation: number;
  readonly leaseMs: number;
  readonly nowMs: number;
}

type Answer =
  { readonly kind: "extended" } | { readonly kind: "superseded" } | { readonly kind: "unknown" };

const TRIES_A_LEASE = 12;
const READ_TIMEOUT_MS = 2_000;

/**
 * Writes locks' entries anew for holders that can't at the moment. In the worker; never decides
 * that a lock is lost to its holder.
 */
export class LockExtender {
  readonly #extensions = new Map<number, Extension>();

  /** Does nothing where the answer to the last write may still come. */
  send(nc: NatsConnection, turn: Turn, order: LockOrder, reply: string): void {
    const extension = this.#extensionOf(turn, order);
    const { sentMs, token } = extension;
    if (sentMs !== undefined && elapsedMs(sentMs, turn.nowMs) < turn.leaseMs / TRIES_A_LEASE)
      return;
    extension.sentMs = turn.nowMs;
    const headers = { [EXPECTED_SEQUENCE]: String(token) };
    nc.publish(order.subject, order.value, { reply, headers: rawHeaders(encodeHeaders(headers)) });
  }

  isExtending(number: number, generation: number): boolean {
    return this.#extensions.get(number)?.generation === generation;
  }

  /** @returns `superseded` where the entry is another's by now, or gone */
  async judge(nc: NatsConnection, number: number, generation: number, reply: Msg): Promise<Answer> {
    const extension = this.#extensions.get(number);
    if (extension?.generation !== generation) return { kind: "unknown" };
    const { seq, error } = reply.json<{ seq?: number; error?: { err_code?: number } }>();
    if (seq !== undefined && error === undefined) {
      extension.token = Math.max(extension.token, seq);
      return { kind: "extended" };
    }
    if (!WRONG_SEQUENCE.has(error?.err_code ?? 0)) return { kind: "unknown" };
    return this.#readBack(nc, extension);
  }

  /** Its holder wrote meanwhile, or an answer to an earlier write was lost, or it is another's. */
  async #readBack(nc: NatsConnection, extension: Extension): Promise<Answer> {
    const { stream, subject, write } = extension.order;
    const query = JSON.stringify({ last_by_subj: subject });
    const reply = await nc.request(`$JS.API.STREAM.MSG.GET.${stream}`, query, {
      timeout: READ_TIMEOUT_MS,
    });
    const { message, error } = reply.json<{
      message?: { seq: number; data?: string };
      error?: { err_code?: number };
    }>();
    // Whatever else the server says, between two leaders for instance, tells nothing of the lock.
    if (message === undefined)
      return { kind: error?.err_code === NO_MESSAGE ? "superseded" : "unknown" };
    // The answer is older than the last confirmed write: a leader that has been replaced gave it.
    if (message.seq < extension.token) return { kind: "unknown" };
    if (!decode(message.data).includes(write)) return { kind: "superseded" };
    extension.token = message.seq;
    return { kind: "unknown" };
  }

  #extensionOf({ number, generation }: Turn, order: LockOrder): Extension {
    const known = this.#extensions.get(number);
    if (known?.generation === generation) return known;
    const extension: Extension = { generation, order, token: order.token, sentMs: undefined };
    this.#extensions.set(number, extension);
    return extension;
  }
}

function decode(base64: string | undefined): string {
  return Buffer.from(base64 ?? "", "base64").toString("utf8");
}
