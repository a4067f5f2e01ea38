import type { DeadLetterQuery, DeadLetterStore, StoredDeadLetter } from "@millrace/core";
import { apiCode, request, STREAM_NOT_FOUND } from "../jetstream-errors.ts";
import { readDeadLetter } from "../messages/dead-letter-headers.ts";
import { readStream } from "../reads/read-stream.ts";
import { removeMessage } from "./remove-message.ts";
import type { ServerAccess } from "./server-access.ts";

const DEFAULT_LIMIT = 100;

export class NatsDeadLetters implements DeadLetterStore {
  readonly #server: ServerAccess;

  constructor(server: ServerAccess) {
    this.#server = server;
  }

  async list(query: DeadLetterQuery = {}): Promise<readonly StoredDeadLetter[]> {
    const { nc, jsm, names } = this.#server;
    const letters: StoredDeadLetter[] = [];
    const range = {
      stream: names.deadStream,
      filter: names.dead(query.queue, query.id),
      from: (query.after ?? 0) + 1,
      limit: query.limit ?? DEFAULT_LIMIT,
    };
    for await (const { subject, sequence, data, headers } of readStream(nc, jsm, range)) {
      const [queue = "", id = ""] = subject.split(".").slice(2);
      letters.push({ ...readDeadLetter(queue, id, data, headers), sequence });
    }
    return letters;
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
