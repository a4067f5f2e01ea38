import { type JobRef, MillraceError } from "@millrace/core";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode, asMillraceError } from "../jetstream-errors.ts";
import { Believed } from "../machine/believed.ts";
import { LeaderReads } from "../reads/leader-reads.ts";
import type { ServerAccess } from "../store/server-access.ts";

/** No look and its publish take longer: see `KeyedEnqueue`. */
const TIMEOUT_MS = 30_000;

/**
 * Since when an id is a job's that is on record: four small reads, of the streams' leaders.
 *
 * The queue is asked first. A job that leaves it afterwards has left a record by then, for records
 * are written before acks; one that came into it since is known to the queue by its message id.
 */
export class IdRecords {
  readonly #server: ServerAccess;
  #reads: LeaderReads | undefined;
  /** Streams that its user may not read. */
  readonly #denied: Believed;

  constructor(server: ServerAccess) {
    this.#server = server;
    this.#denied = new Believed(server.nc);
  }

  /**
   * What may not be read is left out: there the id is not known.
   *
   * @returns when what was found was stored, epoch milliseconds of the server's clock
   * @throws MillraceError `publish-timeout` where the server does not tell: nothing was sent;
   *   `connection-closed`
   */
  async since({ queue, id }: JobRef): Promise<number | undefined> {
    const { names } = this.#server;
    try {
      const queued = await this.#storedAt(
        names.queueStream(queue),
        names.keyedInAnyLane(queue, id),
      );
      if (queued !== undefined) return queued;
      const found = await Promise.all([
        this.#storedAt(names.historyStream, names.history(queue, id)),
        this.#storedAt(names.deadStream, names.dead(queue, id)),
        this.#storedAt(names.delayedStream, names.delayedOrDue(queue, id)),
      ]);
      return found.find((one) => one !== undefined);
    } catch (thrown) {
      const error = asMillraceError(thrown, `look whether the id ${id} is on record`);
      throw error.code === "request-timeout" ? unanswered(id, error) : error;
    }
  }

  async #storedAt(stream: string, subject: string): Promise<number | undefined> {
    if (this.#denied.has(stream)) return undefined;
    this.#reads ??= new LeaderReads(this.#server.nc, TIMEOUT_MS);
    try {
      return (await this.#reads.last(stream, subject))?.storedAt;
    } catch (error) {
      if (!MillraceError.is(error)) throw error;
      if (apiCode(error.cause) === STREAM_NOT_FOUND) return undefined;
      if (error.code !== "permission-denied") throw error;
      this.#denied.add(stream);
      return undefined;
    }
  }

  async close(): Promise<void> {
    await this.#reads?.close();
  }
}

export function unanswered(id: string, cause?: unknown): MillraceError {
  return new MillraceError(
    "publish-timeout",
    `The server did not say in time whether the id ${id} is on record: the job was never sent. Repeat it with the same id.`,
    { cause },
  );
}
