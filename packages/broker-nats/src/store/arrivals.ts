import {
  type Arrival,
  type ArrivalQuery,
  type Arrivals,
  type ArrivalStore,
  type Envelope,
  LANE_CONSUMERS,
  type LaneName,
  type QueueMessage,
  readEnvelope,
  requireQueueName,
  type Stoppable,
  type TakenOut,
} from "@millrace/core";
import type { Msg } from "@nats-io/nats-core";
import { subscribe } from "../connection/subscribe.ts";
import { request } from "../jetstream-errors.ts";
import { laneConsumer } from "../reads/lane-consumer.ts";
import { messageAt } from "../reads/next-message.ts";
import { endsOf, scan } from "../reads/scan.ts";
import { fromLeader, queuedJob } from "../reads/stored-message.ts";
import { plainBytes } from "../wire/plain-bytes.ts";
import { readHeaders } from "../wire/read-headers.ts";
import { queueNotFound } from "./queues.ts";
import { removeMessage } from "./remove-message.ts";
import type { ServerAccess } from "./server-access.ts";

/** After so many bytes a stretch is long enough, whatever was asked for. */
const STRETCH_BYTES = 4 * 2 ** 20;

/** What comes into the queues' streams. */
export class NatsArrivals implements ArrivalStore {
  readonly #server: ServerAccess;
  readonly #onProblem: (error: unknown, doing: string) => void;

  constructor(server: ServerAccess, onProblem: (error: unknown, doing: string) => void) {
    this.#server = server;
    this.#onProblem = onProblem;
  }

  stretch(queue: string, { after, limit = 1_000 }: ArrivalQuery): Promise<Arrivals> {
    return request(`read the queue ${queue}`, async () => {
      requireQueueName(queue);
      const ends = await endsOf(this.#server, this.#server.names.queueStream(queue));
      if (ends === undefined) throw queueNotFound(queue);
      const { first: oldest, last: newest } = ends;
      const jobs: Arrival[] = [];
      let held = 0;
      const range = { ends, from: Math.max(after + 1, oldest), until: newest, wanted: limit };
      for await (const messages of scan(this.#server, range))
        for (const stored of messages) {
          const job = queuedJob(this.#server, stored);
          if (job?.read.ok !== true) continue;
          const { sequence: position, storedAt, body } = job.message;
          jobs.push({ envelope: job.read.envelope, position, storedAt });
          held += body.length;
          if (jobs.length >= limit || held >= STRETCH_BYTES)
            return { oldest, newest, until: position, jobs };
        }
      return { oldest, newest, until: newest, jobs };
    });
  }

  takeOut(queue: string, position: number): Promise<TakenOut> {
    return request(`take a job out of the queue ${queue}`, async () => {
      const { jsm, names } = this.#server;
      const stream = names.queueStream(requireQueueName(queue));
      const found = await messageAt(jsm, stream, position);
      if (found === undefined || queuedJob(this.#server, fromLeader(found)) === undefined)
        return "absent";
      const lane = names.servingLane(found.subject);
      if ((await this.#handedOutUntil(stream, lane)) >= position) return "handed-out";
      // It was there: whoever has removed it since may have been this request, sent once before.
      if (!(await removeMessage(jsm, stream, position))) return "doubtful";
      // A removed message is delivered no more. It may have been delivered between the look and its
      // removal.
      return (await this.#handedOutUntil(stream, lane)) < position ? "taken" : "doubtful";
    });
  }

  /** The last message that the lane's consumer has delivered. */
  async #handedOutUntil(stream: string, lane: LaneName): Promise<number> {
    const consumer = await laneConsumer(this.#server, stream, LANE_CONSUMERS[lane]);
    return consumer?.delivered.stream_seq ?? 0;
  }

  async hear(listener: (envelope: Envelope) => void): Promise<Stoppable> {
    const { names } = this.#server;
    const hear = (msg: Msg): void => {
      const envelope = this.#newJob(msg);
      if (envelope !== undefined) listener(envelope);
    };
    const doing = "hear what is enqueued";
    const onProblem = this.#onProblem;
    const doors = [names.jobsAll, names.requeueAll];
    const open: Stoppable[] = [];
    const stop = async (): Promise<void> => {
      for (const one of open) await one.stop();
    };
    try {
      for (const subject of doors)
        open.push(await subscribe(this.#server, { subject, doing, hear, onProblem }));
    } catch (error) {
      await stop();
      throw error;
    }
    return { stop };
  }

  #newJob(msg: Msg): Envelope | undefined {
    const { names, maxValues } = this.#server;
    const headers = readHeaders(msg);
    const subject = names.readQueueSubject(msg.subject, headers);
    if (subject === undefined) return undefined;
    const { queue, lane, origin, key } = subject;
    const message: QueueMessage = {
      ...{ queue, origin, headers, body: plainBytes(msg.data), sequence: 0, storedAt: 0 },
      ...(lane === undefined ? {} : { lane }),
      ...(key === undefined ? {} : { key }),
    };
    const read = readEnvelope(message, maxValues);
    if (!read.ok || read.envelope.generation > 0) return undefined;
    // Made of the place, which is not known yet.
    return read.envelope.id === `${queue}-0` ? undefined : read.envelope;
  }
}
