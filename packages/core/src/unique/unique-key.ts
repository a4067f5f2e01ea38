import { hash } from "node:crypto";

/** A key as one queue's jobs mean it. */
export class UniqueKey {
  readonly queue: string;
  readonly key: string;
  #document: string | undefined;

  constructor(queue: string, key: string) {
    this.queue = queue;
    this.key = key;
  }

  /**
   * The document of its claim. Its scope is the queue, whatever the jobs' names, so that a producer
   * in any language means the same by it. The key itself may hold anything, a secret included, so
   * only its hash is written. Hashed once: that costs as much as half a write.
   */
  get document(): string {
    this.#document ??= `${this.queue}.${hash("sha256", this.key, "base64url").slice(0, 32)}`;
    return this.#document;
  }
}
