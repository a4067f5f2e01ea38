import {
  type DelayedJob,
  type DelayedQuery,
  type DelayedStore,
  type Envelope,
  envelopeOfUnreadable,
  type JobRef,
  tracePart,
  type MeantMove,
  type NewestOptions,
  requireId,
  requireQueueName,
  waitsForOwnStart,
} from "@millrace/core";
import { request } from "../jetstream-errors.ts";
import { delayedOf } from "../lookup/delayed-of.ts";
import { type DelayedMessage, readDelayed } from "../lookup/read-delayed.ts";
import { behindBarrier } from "../reads/behind-barrier.ts";
import { newestPosition } from "../reads/newest-position.ts";
import { endsOf } from "../reads/scan.ts";
import { countMessages } from "../reads/count-messages.ts";
import { moveDelayed, type MoveOptions } from "./move-delayed.ts";

/** The jobs that wait in the delayed stream, in either form: with a schedule, or postponed. */
export class NatsDelayedJobs implements DelayedStore {
  readonly #options: MoveOptions;

  constructor(options: MoveOptions) {
    this.#options = options;
  }

  list(query: DelayedQuery = {}): Promise<readonly DelayedJob[]> {
    return request("list the delayed jobs", async () => {
      if (query.queue !== undefined) requireQueueName(query.queue);
      const found = await readDelayed(this.#options.server, query);
      return found.map((one) => ({
        ...listed(one),
        ...(query.envelopes === true && one.read.ok ? { envelope: one.read.envelope } : {}),
      }));
    });
  }

  async count(queue?: string): Promise<number> {
    if (queue !== undefined) requireQueueName(queue);
    const { server } = this.#options;
    return request("count the delayed jobs", async () => {
      const ends = await endsOf(server, server.names.delayedStream);
      if (ends === undefined) return 0;
      if (queue === undefined) return ends.messages;
      let count = 0;
      for (const subject of server.names.delayedOf(queue))
        count += await countMessages(server, ends, subject);
      return count;
    });
  }

  newest(options?: NewestOptions): Promise<number> {
    const { server } = this.#options;
    const doing = "look for the newest delayed job";
    return newestPosition(server, { stream: server.names.delayedStream, doing }, options);
  }

  of({ id, queue }: JobRef): Promise<readonly Envelope[]> {
    const { server } = this.#options;
    requireId(id);
    requireQueueName(queue);
    return request(`look for the delayed jobs ${id}`, async () => {
      const found = await behindBarrier(server, server.names.delayedStream, () =>
        delayedOf(server, { id, queue }),
      );
      return found.flatMap(({ read }) => (read.ok ? read.envelope : []));
    });
  }

  async move(
    id: string,
    queue: string,
    notBefore: number | "now",
    meant?: MeantMove,
  ): Promise<boolean> {
    return moveDelayed(this.#options, { id, queue }, notBefore, meant);
  }
}

function listed({ message, read, notBefore }: DelayedMessage): DelayedJob {
  const envelope = read.ok ? read.envelope : envelopeOfUnreadable(message, read);
  const { id, queue, name, lane, generation, attempts } = envelope;
  const { storedAt, sequence: position } = message;
  return {
    ...{ id, queue, name, notBefore, generation, attempts, storedAt, position },
    byProducer: waitsForOwnStart(envelope),
    ...(lane === undefined ? {} : { lane }),
    ...tracePart(envelope.headers),
  };
}
