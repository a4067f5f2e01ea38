import {
  type QueueIntake,
  type QueueSettings,
  type QueueSnapshot,
  type QueueStore,
  requireQueueName,
} from "@millrace/core";
import { MemoryQueue } from "./memory-queue.ts";
import type { MemoryServer } from "./memory-server.ts";

/** One connection's access to the queues. */
export class MemoryQueues implements QueueStore {
  readonly #server: MemoryServer;
  readonly #reach: () => void;

  /** @param reach throws where the connection can't be used */
  constructor(server: MemoryServer, reach: () => void) {
    this.#server = server;
    this.#reach = reach;
  }

  async ensure(name: string, settings: QueueSettings = {}): Promise<void> {
    this.#reach();
    requireQueueName(name);
    const { queues, clock, lastSequences, arrivalListeners } = this.#server;
    const queue =
      queues.get(name) ??
      new MemoryQueue(name, clock, lastSequences.get(name), (message) => {
        for (const told of arrivalListeners) told(message);
      });
    queue.configure(settings);
    queues.set(name, queue);
  }

  async setIntake(name: string, intake: QueueIntake): Promise<void> {
    this.#reach();
    this.#server.queue(name).intake = intake;
  }

  async list(): Promise<readonly QueueSnapshot[]> {
    this.#reach();
    return [...this.#server.queues.keys()].toSorted().map((name) => this.#server.snapshot(name));
  }

  async snapshot(name: string): Promise<QueueSnapshot> {
    this.#reach();
    return this.#server.snapshot(requireQueueName(name));
  }

  async settings(name: string): Promise<QueueSettings> {
    this.#reach();
    return this.#server.queue(name).settings;
  }

  async remove(name: string): Promise<void> {
    this.#reach();
    this.#server.removeQueue(requireQueueName(name));
  }
}
