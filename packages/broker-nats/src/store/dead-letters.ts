import {
  type BuriedJob,
  type DeadLetter,
  type DeadLetterQuery,
  type DeadLetterStore,
  type JobRef,
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
    requirePlace(query);
    const { nc, jsm, names } = this.#server;
    const letters: StoredDeadLetter[] = [];
    const range = {
      stream: names.deadStream,
      filter: names.dead(query.queue, query.id),
      from: (query.after ?? 0) + 1,
      limit: query.limit ?? DEFAULT_LIMIT,
    };
    for await (const { subject, sequence, data, headers } of readStream(nc, jsm, range)) {
      const { queue, id } = placeOf(subject);
      letters.push({ ...readDeadLetter(queue, id, data, headers), sequence });
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
    const [stream, filter] = [names.deadStream, names.dead()];
    const of = { stream, filter, doing: "read the dead letters" };
    const bounds = await tailBounds(this.#server, of, query);
    const buried: BuriedJob[] = [];
    if (bounds === undefined) return buried;
    for await (const message of readStream(nc, jsm, { stream, filter, from: bounds.from })) {
      if (message.sequence > bounds.until) break;
      buried.push({ ...placeOf(message.subject), storedAt: message.storedAt });
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

function placeOf(subject: string): JobRef {
  const [queue = "", id = ""] = subject.split(".").slice(2);
  return { queue, id };
}
