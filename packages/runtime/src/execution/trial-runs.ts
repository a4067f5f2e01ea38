import type { Broker, DocumentStore, Envelope, QueueMessage } from "@millrace/core";

const BUCKET = "suspects";

/**
 * Which suspects were started on their turn, kept where a crash can't take it. A delivery count alone convicts the wrong ones: the
 * server also counts a delivery that reached a process in its last moments and never ran.
 */
export class TrialRuns {
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** Before the handler is called: confirmed, or it isn't called. */
  async begin(envelope: Envelope, { sequence }: QueueMessage): Promise<void> {
    const store = await this.#store();
    await store.put(keyOf(envelope), { sequence, generation: envelope.generation });
  }

  /** Whether this very message was started on its turn, and so the crash that followed is its own. */
  async begun(envelope: Envelope, { sequence }: QueueMessage): Promise<boolean> {
    const value = (await (await this.#store()).get(keyOf(envelope)))?.value as
      { sequence?: unknown; generation?: unknown } | null | undefined;
    return value?.sequence === sequence && value.generation === envelope.generation;
  }

  /** It ended with an outcome. A note that stays behind is of a message that never comes again. */
  async over(envelope: Envelope): Promise<void> {
    await (await this.#store()).remove(keyOf(envelope));
  }

  #store(): Promise<DocumentStore> {
    return this.#broker.documents(BUCKET);
  }
}

function keyOf({ queue, id }: Envelope): string {
  return `${queue}.${id}`;
}
