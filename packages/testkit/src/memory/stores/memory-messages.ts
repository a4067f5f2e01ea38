import {
  type MessagePublisher,
  type MessageResult,
  MillraceError,
  type OutgoingMessage,
  requireSubject,
} from "@millrace/core";

/** Messages for others, and the subjects that are stored. Ids are remembered for ever. */
export class MessageShelf {
  /** What streams take: subjects, without wildcards. */
  readonly taken = new Set<string>();
  readonly stored: OutgoingMessage[] = [];
  /** What whoever listened has heard. */
  readonly heard: OutgoingMessage[] = [];
}

/** Messages lie on the server's shelf, for tests to look at. */
export class MemoryMessages implements MessagePublisher {
  readonly #shelf: MessageShelf;
  readonly #reach: () => void;

  /** @param reach throws where the connection can't be used */
  constructor(shelf: MessageShelf, reach: () => void) {
    this.#shelf = shelf;
    this.#reach = reach;
  }

  async publish(messages: readonly OutgoingMessage[]): Promise<readonly MessageResult[]> {
    return messages.map((message) => {
      try {
        this.#reach();
        requireSubject(message.subject);
        return this.#take(message);
      } catch (error) {
        if (MillraceError.is(error)) return { ok: false, error };
        throw error;
      }
    });
  }

  #take(message: OutgoingMessage): MessageResult {
    const { id, subject } = message;
    if (!message.stored) {
      this.#shelf.heard.push(message);
      return { ok: true, duplicate: false };
    }
    if (!this.#shelf.taken.has(subject))
      throw new MillraceError("stream-not-found", `No stream takes ${subject}.`);
    const duplicate = this.#shelf.stored.some((one) => one.id === id);
    if (!duplicate) this.#shelf.stored.push(message);
    return { ok: true, duplicate };
  }
}
