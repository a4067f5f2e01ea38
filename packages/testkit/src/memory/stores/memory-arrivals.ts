import {
  type ArrivalQuery,
  type Arrivals,
  type ArrivalStore,
  type Envelope,
  type QueueMessage,
  readEnvelope,
  type Stoppable,
  type TakenOut,
} from "@millrace/core";
import type { Connection } from "../connection.ts";
import type { MemoryServer } from "../memory-server.ts";

/** What comes into a server's queues, over one connection. */
export class MemoryArrivals implements ArrivalStore {
  readonly #server: MemoryServer;
  readonly #connection: Connection;

  constructor(server: MemoryServer, connection: Connection) {
    this.#server = server;
    this.#connection = connection;
  }

  async stretch(name: string, { after, limit = 1_000 }: ArrivalQuery): Promise<Arrivals> {
    this.#connection.reach();
    const { stored, lastSequence: newest } = this.#server.queue(name);
    const jobs = stored
      .filter(({ sequence }) => sequence > after)
      .flatMap((message) => {
        const read = readEnvelope(message);
        const { sequence: position, storedAt } = message;
        return read.ok ? [{ envelope: read.envelope, position, storedAt }] : [];
      })
      .slice(0, limit);
    return {
      oldest: stored[0]?.sequence ?? newest + 1,
      newest,
      until: jobs.length === limit ? (jobs.at(-1)?.position ?? newest) : newest,
      jobs,
    };
  }

  async takeOut(name: string, position: number): Promise<TakenOut> {
    this.#connection.reach();
    return this.#server.queue(name).takeOut(position);
  }

  async hear(listener: (envelope: Envelope) => void): Promise<Stoppable> {
    this.#connection.reach();
    const { arrivalListeners } = this.#server;
    let isListening = true;
    const told = (message: QueueMessage): void => {
      if (!this.#connection.isConnected) return;
      const read = readEnvelope({ ...message, sequence: 0 });
      if (!read.ok || read.envelope.generation > 0) return;
      if (read.envelope.id === `${message.queue}-0`) return;
      this.#connection.deliver(() => {
        if (isListening) listener(read.envelope);
      });
    };
    arrivalListeners.add(told);
    return this.#connection.attach(() => {
      isListening = false;
      arrivalListeners.delete(told);
    });
  }
}
