import {
  type EnqueueResult,
  type Envelope,
  type Mark,
  type MarkStore,
  type MarkWrite,
  MillraceError,
} from "@millrace/core";
import type { MemoryServer } from "../memory-server.ts";
import type { NewMessage } from "../publication.ts";

export interface MemoryMarksOptions {
  readonly server: MemoryServer;
  /** Throws where the connection can't be used. */
  readonly reach: () => void;
  /** Throws a MillraceError where the job can't be sent. */
  readonly publication: (job: Envelope) => NewMessage;
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
    // Whoever does not want to be told has a mark, too.
    const stored = queue.mark(mark.name, mark.value);
    mark.onStored?.(stored);
    return jobs.map(({ id }, index): EnqueueResult => {
      const one = made[index] as NewMessage | MillraceError;
      return one instanceof MillraceError
        ? { ok: false, id, queue: mark.queue, error: one }
        : { ok: true, id, queue: mark.queue, ...queue.publish(one) };
    });
  }

  /** The same without a mark, and with all of the jobs or none. */
  async together(jobs: readonly Envelope[]): Promise<readonly EnqueueResult[]> {
    const { server, reach, closed } = this.#options;
    reach();
    const [first] = jobs;
    if (first === undefined) return [];
    const queue = server.queues.get(first.queue);
    const none = (error: MillraceError): readonly EnqueueResult[] =>
      jobs.map(({ id }) => ({ ok: false, id, queue: first.queue, error }));
    if (queue === undefined) return none(queueNotFound(first.queue));
    if (queue.intake === "closed") return none(closed(first.queue));
    try {
      const made = jobs.map((job) => this.#options.publication(job));
      queue.requireRoomFor(made);
      return made.map((one, index): EnqueueResult => {
        const { id, queue: name } = jobs[index] as Envelope;
        return { ok: true, id, queue: name, ...queue.publish(one) };
      });
    } catch (error) {
      if (MillraceError.is(error)) return none(error);
      throw error;
    }
  }

  #made(job: Envelope): NewMessage | MillraceError {
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
