import {
  type HistoryStore,
  isId,
  LANE_CONSUMERS,
  type LaneName,
  MillraceError,
} from "@millrace/core";
import { request } from "../jetstream-errors.ts";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import { laneConsumer } from "../reads/lane-consumer.ts";
import { headersOf, type LeaderMessage, nextMessage } from "../reads/next-message.ts";
import { removeMessage } from "../store/remove-message.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { EXPECTED_SEQUENCE } from "../wire/expected-sequence.ts";

export interface SkippedJobsParts {
  readonly server: ServerAccess;
  readonly publisher: ConfirmedPublisher;
  readonly history: Pick<HistoryStore, "stored">;
}

interface Places {
  readonly passed: ReadonlyMap<LaneName, number>;
  readonly settled: number;
}

/** Not sent again: the queue may remember the id, and the condition was the first publication's. */
const LEFT_OUT: ReadonlySet<string> = new Set(["nats-msg-id", EXPECTED_SEQUENCE.toLowerCase()]);

/**
 * Jobs with subjects of their own that were stored while the filters of their lane's consumer left
 * them out, as an older node sets them. A consumer that has passed a message never comes back to
 * it, whatever its filters are afterwards. So such a job is stored again behind the consumer's
 * place, on its own subject, and then its first message is removed.
 */
export class SkippedJobs {
  readonly #parts: SkippedJobsParts;

  constructor(parts: SkippedJobsParts) {
    this.#parts = parts;
  }

  /**
   * @param until the place before which the first look found the jobs, some seconds ago. Default:
   *   the queue's end
   * @returns the same, where a job before it may have been skipped yet: look again
   */
  async bringBack(queue: string, until?: number): Promise<number | undefined> {
    const { jsm, names } = this.#parts.server;
    const stream = names.queueStream(queue);
    return request(`look for skipped jobs of the queue ${queue}`, async () => {
      const any = names.keyedInAnyLane(queue, "*");
      if ((await nextMessage(jsm, stream, 1, any)) === undefined) return undefined;
      const last = until ?? (await jsm.streams.info(stream)).state.last_seq;
      const places = await this.#places(stream, until);
      let isUnsure = false;
      for (const lane of LANES) {
        const filter = names.keyed(queue, lane, "*");
        for (let from = 1; ;) {
          const message = await nextMessage(jsm, stream, from, filter);
          if (message === undefined || message.seq > last) break;
          if (message.seq > places.settled || message.seq > (places.passed.get(lane) ?? 0)) {
            isUnsure = true;
            break;
          }
          await this.#bringBack(queue, message);
          from = message.seq + 1;
        }
      }
      return isUnsure ? last : undefined;
    });
  }

  /**
   * Up to `settled` no consumer has handed out what is still there: a job in somebody's hands lies
   * above the ack floor of its consumer. All lanes' consumers count, for an older node gives the
   * normal lane's what it does not know.
   *
   * A cluster does not say which messages a consumer passed without delivering any. But a consumer
   * that has nothing to deliver has passed all that was there some seconds ago.
   */
  async #places(stream: string, until: number | undefined): Promise<Places> {
    const passed = new Map<LaneName, number>();
    let settled = Number.POSITIVE_INFINITY;
    for (const lane of LANES) {
      const info = await laneConsumer(this.#parts.server, stream, LANE_CONSUMERS[lane]);
      if (info === undefined) continue;
      const handedOut = info.delivered.stream_seq;
      passed.set(lane, info.num_pending === 0 ? Math.max(handedOut, until ?? 0) : handedOut);
      if (info.num_ack_pending > 0) settled = Math.min(settled, info.ack_floor.stream_seq);
    }
    return { passed, settled };
  }

  /**
   * The publish is on the condition that the message is still the last on its subject. So only one
   * of two nodes stores it, and a node continues where a dead one stopped. If the condition does
   * not hold, the job is there again, or its message is gone.
   */
  async #bringBack(queue: string, message: LeaderMessage): Promise<void> {
    const { server, publisher } = this.#parts;
    if (await this.#isSettled(queue, message)) return;
    const headers: Record<string, string> = { [EXPECTED_SEQUENCE]: String(message.seq) };
    for (const [name, value] of Object.entries(headersOf(message)))
      if (!LEFT_OUT.has(name)) headers[name] = value;
    try {
      await publisher.publish(message.subject, message.data, headers);
    } catch (error) {
      if (!MillraceError.is(error, "conflict")) throw error;
    }
    await removeMessage(server.jsm, server.names.queueStream(queue), message.seq);
  }

  /** A message may be there after it was acked: in a cluster for a moment, or after a kill. */
  async #isSettled(queue: string, { subject, seq }: LeaderMessage): Promise<boolean> {
    const id = this.#parts.server.names.readQueueSubject(subject, {})?.key ?? "";
    // What a producer has made of its subject has no record, and keeps no other job from its queue.
    if (!isId(id)) return false;
    const { history } = this.#parts;
    const records = await history.stored({ queue, id });
    return records.some(({ record }) => record.sequence === seq);
  }
}

const LANES = Object.keys(LANE_CONSUMERS) as LaneName[];
