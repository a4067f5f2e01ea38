import type { HistoryRecord } from "@millrace/core";
import { nanos, type NatsConnection } from "@nats-io/transport-node";
import { patientManager } from "../../harness/administrator.ts";
import { readRecordsFrom } from "../harness/records.ts";

/** Long enough for a reader that comes by once a phase, even when the server was away. */
const KEPT_MS = 3 * 60_000;

/**
 * Reads the history along while it is written, so that the server may forget it: a history that
 * grows for an hour would hide whether anything else does.
 */
export class HistoryTail {
  readonly #nc: NatsConnection;
  readonly #stream: string;
  readonly #records: HistoryRecord[] = [];
  #next: number;

  static async start(nc: NatsConnection, namespace: string): Promise<HistoryTail> {
    const stream = `${namespace}-history`;
    const jsm = await patientManager(nc);
    const { state } = await jsm.streams.update(stream, { max_age: nanos(KEPT_MS) });
    return new HistoryTail(nc, stream, Math.max(1, state.first_seq));
  }

  private constructor(nc: NatsConnection, stream: string, first: number) {
    this.#nc = nc;
    this.#stream = stream;
    this.#next = first;
  }

  /** All so far. */
  get records(): readonly HistoryRecord[] {
    return this.#records;
  }

  /** @throws where records went before they were read, since then nothing is proved */
  async readOn(): Promise<void> {
    const { records, first, last } = await readRecordsFrom(this.#nc, this.#stream, this.#next);
    if (first > this.#next)
      throw new Error(`the history lost ${first - this.#next} records unread`);
    this.#records.push(...records);
    this.#next = last + 1;
  }
}
