import {
  type Clock,
  type DocumentStore,
  findToReplace,
  MillraceError,
  type Timer,
} from "@millrace/core";
import { type Rate, type RateState, reserve } from "./gcra.ts";
import { keyHash } from "../gate-names.ts";
import type { ServerClock } from "../../clock/server-clock.ts";

export interface RateReserverOptions {
  readonly documents: () => Promise<DocumentStore>;
  readonly serverClock: ServerClock;
  readonly clock: Clock;
  readonly queue: string;
  readonly key: string;
  /** Called when nothing is left to remember. */
  readonly onIdle: () => void;
}

/** A start in the server's time, or undefined where it lies too far ahead. */
type Answer = number | undefined;

interface Asked {
  readonly rate: Rate;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

interface Known {
  readonly state: RateState | undefined;
  /** 0: no document. */
  readonly revision: number;
}

/** A node forgets a key that nobody asked for in so long, whatever the key still owes. */
export const FORGET_MS = 30_000;
/** Each is another node that was first, so somebody gets on. */
const MANY_CONFLICTS = 50;

/** Where a rate document of a key lies. */
export function rateDocument(queue: string, key: string): string {
  return `${queue}.${keyHash(key)}`;
}

/**
 * Takes starts of one key for this node's jobs. All that ask while a write is under way share the
 * next one, so a busy key costs a write a round trip and not one a job, and a node never stands in
 * its own way.
 */
export class RateReserver {
  readonly #options: RateReserverOptions;
  readonly #document: string;
  #asked: Asked[] = [];
  #working = false;
  /** As of this node's last read or write; another node's write shows as a conflict. */
  #known: Known | undefined;
  #forget: Timer | undefined;

  constructor(options: RateReserverOptions) {
    this.#options = options;
    this.#document = rateDocument(options.queue, options.key);
  }

  /** @throws MillraceError the store's trouble: nothing was taken, or one start too many */
  ask(rate: Rate): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ rate, resolve, reject });
      if (!this.#working) void this.#work();
    });
  }

  close(): void {
    this.#forget?.cancel();
  }

  async #work(): Promise<void> {
    this.#working = true;
    this.#forget?.cancel();
    while (this.#asked.length > 0) {
      const batch = this.#asked;
      this.#asked = [];
      try {
        const answers = await this.#take(batch.map(({ rate }) => rate));
        for (const [index, { resolve }] of batch.entries()) resolve(answers[index]);
      } catch (error) {
        this.#known = undefined;
        for (const { reject } of batch) reject(error);
      }
    }
    this.#working = false;
    this.#forget = this.#options.clock.setTimer(FORGET_MS, () => void this.#clear());
  }

  async #take(rates: readonly Rate[]): Promise<readonly Answer[]> {
    const documents = await this.#options.documents();
    for (let conflicts = 0; ; conflicts += 1) {
      const now = await this.#options.serverClock.now();
      const known = (this.#known ??= await this.#read(documents));
      let { state } = known;
      const answers = rates.map((rate) => {
        const taken = reserve(state, rate, now);
        if (taken !== undefined) state = taken.next;
        return taken?.startMs;
      });
      // What is known is too much already, and others can only have added to it.
      if (state === known.state) return answers;
      try {
        const revision = await documents.put(this.#document, state, known.revision);
        this.#known = { state, revision };
        return answers;
      } catch (error) {
        this.#known = undefined;
        if (!MillraceError.is(error, "revision-conflict") || conflicts >= MANY_CONFLICTS)
          throw error;
      }
    }
  }

  async #read(documents: DocumentStore): Promise<Known> {
    const document = await findToReplace(documents, this.#document);
    return { state: readRateState(document?.value), revision: document?.revision ?? 0 };
  }

  /**
   * The document of a key with its whole burst says nothing that its absence doesn't. That of a key
   * that still owes is the sweeper's: there may be as many of these keys as a day has customers.
   */
  async #clear(): Promise<void> {
    const known = this.#known;
    const { documents, serverClock, onIdle } = this.#options;
    try {
      if (known?.state !== undefined && known.revision > 0) {
        const isOwing = known.state.paidAtMs > (await serverClock.now());
        // Nobody watches them, and a mark for each key that there ever was would stay for ever.
        if (!isOwing) await (await documents()).erase(this.#document, known.revision);
      }
    } catch {
      // Another node has written it since, or it stays: it is small, and whoever uses the key next
      // overwrites it.
    }
    if (!this.#working) onIdle();
  }
}

/** @returns undefined for what no node wrote */
export function readRateState(value: unknown): RateState | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { limit, perMs, paidAtMs } = value as Partial<RateState>;
  return typeof limit === "number" &&
    limit >= 1 &&
    typeof perMs === "number" &&
    perMs > 0 &&
    typeof paidAtMs === "number"
    ? { limit, perMs, paidAtMs }
    : undefined;
}
