import {
  decodeBody,
  encodeMsgpack,
  JOB_LOG_LEVELS,
  type JobLogPage,
  type JobLogStore,
  type JobRef,
  MillraceError,
  requirePlace,
  type StoredLogPage,
} from "@millrace/core";
import { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import { StreamOnce } from "../topology/stream-once.ts";
import { type JobLogLimits, jobLogStream } from "../topology/streams.ts";
import { readStream } from "../reads/read-stream.ts";
import type { ServerAccess } from "./server-access.ts";

/**
 * A publisher of its own, with a small window and little patience: lines don't delay a settlement,
 * and don't heap up in an outage.
 */
const PUBLISHER = { window: 64, timeoutMs: 10_000 };
const USUAL_LIMIT = 100;
/** What is followed is a page or two; what is longer is read in batches. */
const LEADER_READS = 20;

/** A message a page in a stream of their own, which is made with the first page. */
export class NatsJobLogs implements JobLogStore {
  readonly #server: ServerAccess;
  readonly #stream: StreamOnce;
  #publisher: ConfirmedPublisher | undefined;

  constructor(server: ServerAccess, limits: JobLogLimits, replicas: number) {
    this.#server = server;
    this.#stream = new StreamOnce(server, jobLogStream(server.names, limits, replicas));
  }

  async append(job: JobRef, page: JobLogPage): Promise<void> {
    try {
      await this.#publish(job, page);
    } catch (error) {
      if (!MillraceError.is(error, "queue-not-found")) throw error;
      // Somebody deleted the stream: it is made again, once for each page.
      this.#stream.forget();
      await this.#publish(job, page);
    }
  }

  async read(
    job: JobRef,
    { after = 0, limit = USUAL_LIMIT }: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<readonly StoredLogPage[]> {
    const { nc, jsm, names } = this.#server;
    const pages: StoredLogPage[] = [];
    const range = { stream: names.jobLogStream, filter: this.#subject(job), from: after + 1 };
    for await (const { sequence, data } of readStream(nc, jsm, {
      ...range,
      limit,
      leaderReads: LEADER_READS,
    })) {
      const page = readPage(data);
      if (page !== undefined) pages.push({ ...page, position: sequence });
    }
    return pages;
  }

  async close(): Promise<void> {
    await this.#publisher?.close();
  }

  async #publish(job: JobRef, page: JobLogPage): Promise<void> {
    await this.#stream.ensure();
    this.#publisher ??= new ConfirmedPublisher(this.#server.nc, PUBLISHER);
    const { createdAt, attempt, node, token } = page;
    // A page that is sent again because its confirmation was lost is known by it.
    const copy = `${job.queue}/${job.id}/${createdAt}/${attempt}/${node}/${token}/${page.page}`;
    await this.#publisher.publish(this.#subject(job), encodeMsgpack(page), {
      "Nats-Msg-Id": copy,
    });
  }

  #subject(job: JobRef): string {
    const { queue, id } = requirePlace(job);
    return this.#server.names.jobLog(queue, id);
  }
}

/** @returns undefined for bytes that no runtime wrote */
function readPage(bytes: Uint8Array): JobLogPage | undefined {
  try {
    const page = decodeBody(bytes, "application/msgpack") as Partial<JobLogPage> | null;
    const isPage =
      typeof page?.attempt === "number" &&
      typeof page.node === "string" &&
      typeof page.createdAt === "number" &&
      typeof page.token === "number" &&
      typeof page.page === "number" &&
      Array.isArray(page.lines) &&
      page.lines.every(isLine);
    return isPage ? (page as JobLogPage) : undefined;
  } catch {
    return undefined;
  }
}

function isLine(line: unknown): boolean {
  const { at, level, message, fields } = (line ?? {}) as Readonly<Record<string, unknown>>;
  return (
    typeof at === "number" &&
    typeof message === "string" &&
    JOB_LOG_LEVELS.some((known) => known === level) &&
    (fields === undefined || (typeof fields === "object" && fields !== null))
  );
}
