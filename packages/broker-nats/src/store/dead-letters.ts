import {
  type BuriedJob,
  type DeadLetter,
  type DeadLetterQuery,
  type DeadLetterStore,
  type NewestOptions,
  requirePlace,
  type StoredDeadLetter,
  type TailQuery,
} from "@millrace/core";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode, request } from "../jetstream-errors.ts";
import { readDeadLetter, writeDeadLetterHeaders } from "../messages/dead-letter-headers.ts";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import { newestPosition } from "../reads/newest-position.ts";
import { WHOLE_STREAM } from "../reads/next-message.ts";
import { readStream } from "../reads/read-stream.ts";
import { tailBounds } from "../reads/stream-tail.ts";
import { removeMessage } from "./remove-message.ts";
import type { ServerAccess } from "./server-access.ts";

const DEFAULT_LIMIT = 100;

export class NatsDeadLetters implements DeadLetterStore {
  readonly #server: ServerAccess;

  readonly #publisher: ConfirmedPublisher;
  readonly #maxBytes: number;

  /** @param maxBytes the largest message that the server takes */
  constructor(server: ServerAccess, publisher: ConfirmedPublisher, maxBytes: number) {
    this.#server = server;
    this.#publisher = publisher;
    this.#maxBytes = maxBytes;
  }

  async list(query: DeadLetterQuery = {}): Promise<readonly StoredDeadLetter[]> {
    const { queue, id } = requirePlace(query);
    const { limit = DEFAULT_LIMIT, after = 0 } = query;
    const { nc, jsm, names } = this.#server;
    const isOfAll = queue === undefined && id === undefined;
    const filter = isOfAll ? WHOLE_STREAM : names.dead(queue, id);
    const letters: StoredDeadLetter[] = [];
    let isMore = true;
    // Fewer than were asked for are the end: what is no letter must not make it look like that.
    for (let from = after + 1; isMore && letters.length < limit;) {
      let left = limit - letters.length;
      const range = { stream: names.deadStream, filter, from, limit: left };
      for await (const { subject, sequence, data, headers } of readStream(nc, jsm, range)) {
        const of = names.readDead(subject);
        if (of !== undefined)
          letters.push({ ...readDeadLetter(of.queue, of.id, data, headers), sequence });
        from = sequence + 1;
        left -= 1;
      }
      isMore = left === 0;
    }
    return letters;
  }

  newest(options?: NewestOptions): Promise<number> {
    const { deadStream: stream } = this.#server.names;
    const doing = "look for the newest dead letter";
    return newestPosition(this.#server, { stream, doing }, options);
  }

  async tail(query: TailQuery): Promise<readonly BuriedJob[]> {
    const { nc, jsm, names } = this.#server;
    const stream = names.deadStream;
    const of = { stream, doing: "read the dead letters" };
    const bounds = await tailBounds(this.#server, of, query);
    const buried: BuriedJob[] = [];
    if (bounds === undefined) return buried;
    for await (const message of readStream(nc, jsm, { stream, from: bounds.from })) {
      if (message.sequence > bounds.until) break;
      const of = names.readDead(message.subject);
      if (of !== undefined) buried.push({ ...of, storedAt: message.storedAt });
    }
    return buried;
  }

  async add(letter: DeadLetter, once: string): Promise<number> {
    const subject = this.#server.names.dead(letter.queue, letter.id);
    const headers = {
      ...writeDeadLetterHeaders(letter, this.#maxBytes),
      "Nats-Msg-Id": `dead/${letter.queue}/${letter.id}/${once}`,
    };
    return (await this.#publisher.publish(subject, letter.body, headers)).sequence;
  }

  remove(sequence: number): Promise<boolean> {
    const { jsm, names } = this.#server;
    return request(`remove the dead letter ${sequence}`, async () => {
      try {
        return await removeMessage(jsm, names.deadStream, sequence);
      } catch (error) {
        if (apiCode(error) === STREAM_NOT_FOUND) return false;
        throw error;
      }
    });
  }
}
