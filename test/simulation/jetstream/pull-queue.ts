import type { Timer } from "@millrace/core";
import { statusPacket } from "./packet.ts";
import type { Surroundings } from "./surroundings.ts";

export interface PullRequest {
  readonly reply: string;
  /** How many are still asked for. */
  left: number;
  /** Bytes that may still come; 0 where nobody counts. */
  bytesLeft: number;
  readonly countsBytes: boolean;
  readonly noWait: boolean;
  readonly expiresMs: number;
  readonly heartbeatMs: number;
  delivered: number;
  expiry?: Timer;
  beat?: Timer;
}

interface PullBody {
  readonly batch?: number;
  readonly expires?: number;
  readonly no_wait?: boolean;
  readonly max_bytes?: number;
  readonly idle_heartbeat?: number;
}

const NS_A_MS = 1e6;
/** A pull that names no end ends with its asker. */
const FOREVER_MS = 24 * 3_600_000;

export function readPull(reply: string, body: string): PullRequest {
  const {
    batch = 1,
    expires = 0,
    no_wait: noWait = false,
    max_bytes: bytes = 0,
    idle_heartbeat: beat = 0,
  } = body === "" ? {} : (JSON.parse(body) as PullBody);
  return {
    reply,
    left: batch,
    bytesLeft: bytes,
    countsBytes: bytes > 0,
    noWait,
    expiresMs: expires > 0 ? expires / NS_A_MS : FOREVER_MS,
    heartbeatMs: beat / NS_A_MS,
    delivered: 0,
  };
}

/**
 * Pulls that wait. They are served in turn, a message each; one whose asker has gone is dropped
 * when its turn comes.
 */
export class PullQueue {
  readonly #server: Surroundings;
  readonly #places: () => { readonly consumer: number; readonly stream: number };
  #waiting: PullRequest[] = [];

  constructor(
    server: Surroundings,
    places: () => { readonly consumer: number; readonly stream: number },
  ) {
    this.#server = server;
    this.#places = places;
  }

  get size(): number {
    this.#dropUnheard();
    return this.#waiting.length;
  }

  isWaiting(): boolean {
    return this.size > 0;
  }

  add(request: PullRequest): void {
    this.#waiting.push(request);
    request.expiry = this.#server.clock.setTimer(request.expiresMs, () =>
      this.#end(request, "408 Request Timeout", true),
    );
    this.#keepBeating(request);
  }

  /**
   * @returns who gets the next message; `refused` where it was too large for who would have had it
   */
  take(bytes: number): PullRequest | "refused" | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    if (!first.countsBytes || bytes <= first.bytesLeft) return first;
    this.#end(first, "409 Message Size Exceeds MaxBytes", true);
    return "refused";
  }

  delivered(request: PullRequest, bytes = 0): void {
    this.#remove(request);
    request.left -= 1;
    request.delivered += 1;
    if (request.countsBytes) request.bytesLeft -= bytes;
    if (request.left === 0) return this.#forget(request);
    this.#waiting.push(request);
    this.#keepBeating(request);
  }

  endNoWait(request: PullRequest, served: "404" | "408"): void {
    if (!this.#waiting.includes(request)) return;
    if (served === "404") this.#end(request, "404 No Messages", false);
    else this.#end(request, "408 Request Timeout", true);
  }

  end(word: string | undefined): void {
    for (const request of this.#waiting.splice(0)) {
      this.#forget(request);
      if (word !== undefined) this.#say(request, word, false);
    }
  }

  #dropUnheard(): void {
    const gone = this.#waiting.filter(({ reply }) => !this.#server.isHeard(reply));
    if (gone.length === 0) return;
    for (const request of gone) {
      this.#remove(request);
      this.#forget(request);
    }
  }

  #end(request: PullRequest, word: string, withRest: boolean): void {
    this.#remove(request);
    this.#forget(request);
    this.#say(request, word, withRest);
  }

  #say(request: PullRequest, word: string, withRest: boolean): void {
    const rest = [
      ["Nats-Pending-Messages", request.left],
      ["Nats-Pending-Bytes", request.bytesLeft],
    ] as const;
    this.#server.send(request.reply, statusPacket(request.reply, word, withRest ? rest : []));
  }

  #keepBeating(request: PullRequest): void {
    request.beat?.cancel();
    if (request.heartbeatMs === 0) return;
    request.beat = this.#server.clock.setTimer(request.heartbeatMs, () => {
      if (!this.#server.isHeard(request.reply)) return;
      const { consumer, stream } = this.#places();
      this.#server.send(
        request.reply,
        statusPacket(request.reply, "100 Idle Heartbeat", [
          ["Nats-Last-Consumer", consumer],
          ["Nats-Last-Stream", stream],
        ]),
      );
      this.#keepBeating(request);
    });
  }

  #remove(request: PullRequest): void {
    const at = this.#waiting.indexOf(request);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  #forget(request: PullRequest): void {
    request.expiry?.cancel();
    request.beat?.cancel();
  }
}
