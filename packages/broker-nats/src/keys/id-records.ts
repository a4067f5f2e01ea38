import { type JobRef, MillraceError } from "@millrace/core";
import { apiCode, STREAM_NOT_FOUND } from "../jetstream-errors.ts";
import { LeaderReads } from "../reads/leader-reads.ts";
import type { ServerAccess } from "../store/server-access.ts";

/** As long as an enqueue is tried. */
const TIMEOUT_MS = 30_000;

/**
 * Whether an id is a job's that is on record: four small reads, of the streams' leaders.
 *
 * The queue is asked first. A job that leaves it afterwards has left a record by then, for records
 * are written before acks; one that came into it since is known to the queue by its message id.
 */
export class IdRecords {
  readonly #server: ServerAccess;
  #reads: LeaderReads | undefined;
  /** Its user has no right to look, or its account nothing to look at. */
  #isBlind = false;

  constructor(server: ServerAccess) {
    this.#server = server;
  }

  /** @throws MillraceError `publish-timeout` where the server does not tell: nothing was sent */
  async has({ queue, id }: JobRef): Promise<boolean> {
    if (this.#isBlind) return false;
    const { names } = this.#server;
    try {
      if (await this.#isAnything(names.queueStream(queue), names.keyedInAnyLane(queue, id)))
        return true;
      const found = await Promise.all([
        this.#isAnything(names.historyStream, names.history(queue, id)),
        this.#isAnything(names.deadStream, names.dead(queue, id)),
        this.#isAnything(names.delayedStream, names.delayedOrDue(queue, id)),
      ]);
      return found.includes(true);
    } catch (error) {
      if (MillraceError.is(error, "permission-denied")) {
        this.#isBlind = true;
        return false;
      }
      throw MillraceError.is(error, "request-timeout") ? unanswered(id, error) : error;
    }
  }

  async #isAnything(stream: string, subject: string): Promise<boolean> {
    this.#reads ??= new LeaderReads(this.#server.nc, TIMEOUT_MS);
    try {
      return (await this.#reads.last(stream, subject)) !== undefined;
    } catch (error) {
      if (MillraceError.is(error) && apiCode(error.cause) === STREAM_NOT_FOUND) return false;
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#reads?.close();
  }
}

function unanswered(id: string, cause: unknown): MillraceError {
  return new MillraceError(
    "publish-timeout",
    `The server did not say in time whether the id ${id} is on record: the job was never sent. Repeat it with the same id.`,
    { cause },
  );
}
