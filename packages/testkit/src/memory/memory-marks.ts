import {
  type EnqueueResult,
  type Envelope,
  type Mark,
  type MarkStore,
  type MarkWrite,
  MillraceError,
} from "@millrace/core";
import type { MemoryServer } from "./memory-server.ts";
import type { Publication } from "./memory-queue.ts";

export interface MemoryMarksOptions {
  readonly server: MemoryServer;
  /** Throws where the connection can't be used. */
  readonly reach: () => void;
  /** Throws a MillraceError where the job can't be sent. */
  readonly publication: (job: Envelope) => Publication;
  /** The error of a closed queue, with who closed it. */
  readonly closed: (queue: string) => MillraceError;
}

/** Marks live with their queue, and go with it. */
export class MemoryMarks implements MarkStore {
  readonly #options: MemoryMarksOptions;

  constructor(options: MemoryMarksOptions) {
    this.#options = options;
  }

  async read(queue: string, name: string): Promise<Mark | undefined> {
    this.#options.reach();
    return this.#options.server.queues.get(queue)?.marks.get(name);
  }

  refusal(job: Envelope): MillraceError | undefined {
    const made = this.#made(job);
    return made instanceof MillraceError ? made : undefined;
  }

  async enqueue(jobs: readonly Envelope[], mark: MarkWrite): Promise<readonly EnqueueResult[]> {
    const { server, reach } = this.#options;
    reach();
    const queue = server.queues.get(mark.queue);
    const made = jobs.map((job) => this.#made(job));
    const going = made.flatMap((one) => (one instanceof MillraceError ? [] : [one]));
    if (queue === undefined || queue.intake === "closed") {
      const error =
        queue === undefined ? queueNotFound(mark.queue) : this.#options.closed(mark.queue);
      return jobs.map(({ id }) => ({ ok: false, id, queue: mark.queue, error }));
    }
    if ((queue.marks.get(mark.name)?.revision ?? 0) !== mark.after)
      throw new MillraceError(
        "conflict",
        `The mark ${mark.name} of the queue ${mark.queue} has changed: read it and decide again.`,
      );
    queue.requireRoomFor(going);
    mark.onStored?.(queue.mark(mark.name, mark.value));
    return jobs.map(({ id }, index): EnqueueResult => {
      const one = made[index] as Publication | MillraceError;
      return one instanceof MillraceError
        ? { ok: false, id, queue: mark.queue, error: one }
        : { ok: true, id, queue: mark.queue, ...queue.publish(one) };
    });
  }

  #made(job: Envelope): Publication | MillraceError {
    try {
      return this.#options.publication(job);
    } catch (error) {
      if (MillraceError.is(error)) return error;
      throw error;
    }
  }
}

function queueNotFound(queue: string): MillraceError {
  return new MillraceError(
    "queue-not-found",
    `The queue ${queue} does not exist. Start a node that serves it, or create it, then try again.`,
  );
}
