import {
  decodeBody,
  encodeMsgpack,
  MillraceError,
  type ProgressReport,
  type ProgressStore,
  requirePlace,
  type Stoppable,
} from "@millrace/core";
import { subscribe } from "../connection/subscribe.ts";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode, request } from "../jetstream-errors.ts";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import { ensureStream } from "../topology/ensure-stream.ts";
import { progressStream } from "../topology/streams.ts";
import { plainBytes } from "../wire/plain-bytes.ts";
import { nextMessage } from "../reads/next-message.ts";
import type { ServerAccess } from "./server-access.ts";

type Job = Parameters<ProgressStore["latest"]>[0];

/** One message a job in a stream of their own. */
export class NatsProgress implements ProgressStore {
  readonly #server: ServerAccess;
  readonly #publisher: ConfirmedPublisher;
  readonly #replicas: number;
  readonly #onProblem: (error: unknown, doing: string) => void;
  #stream: Promise<void> | undefined;
  #ready = false;

  constructor(
    server: ServerAccess,
    publisher: ConfirmedPublisher,
    replicas: number,
    onProblem: (error: unknown, doing: string) => void,
  ) {
    this.#server = server;
    this.#publisher = publisher;
    this.#replicas = replicas;
    this.#onProblem = onProblem;
  }

  async put(job: Job, report: ProgressReport): Promise<void> {
    // Without a turn in between once the stream is there: what is published next must come after
    // this.
    if (!this.#ready) await this.ensure();
    try {
      await this.#publisher.publish(this.#subject(job), encodeMsgpack(report), undefined);
    } catch (error) {
      // Somebody deleted the stream: the next report makes it again.
      if (MillraceError.is(error, "queue-not-found")) {
        this.#ready = false;
        this.#stream = undefined;
      }
      throw error;
    }
  }

  async latest(job: Job): Promise<ProgressReport | undefined> {
    const { jsm, names } = this.#server;
    const stored = await request(`read the progress of ${job.id}`, () =>
      nextMessage(jsm, names.progressStream, 1, this.#subject(job)),
    );
    return stored === undefined ? undefined : readReport(plainBytes(stored.data));
  }

  async remove(job: Job): Promise<void> {
    const { jsm, names } = this.#server;
    await request(`forget the progress of ${job.id}`, async () => {
      try {
        await jsm.streams.purge(names.progressStream, { filter: this.#subject(job) });
      } catch (error) {
        if (apiCode(error) !== STREAM_NOT_FOUND) throw error;
      }
    });
  }

  async follow(job: Job, listener: (report: ProgressReport) => void): Promise<Stoppable> {
    let isStopped = false;
    const tell = (report: ProgressReport | undefined): void => {
      if (report !== undefined && !isStopped) listener(report);
    };
    const listening = await subscribe(this.#server, {
      subject: this.#subject(job),
      doing: "follow a job's progress",
      onProblem: this.#onProblem,
      hear: (msg) => tell(readReport(msg.data)),
      onMissed: () =>
        void this.latest(job).then(tell, (error: unknown) =>
          this.#onProblem(error, "catch up with a job's progress"),
        ),
    });
    return {
      stop: () => {
        isStopped = true;
        return listening.stop();
      },
    };
  }

  #subject(job: Job): string {
    const { queue, id } = requirePlace(job);
    return this.#server.names.progress(queue, id);
  }

  /** Nodes have it made before they take jobs, so that no report waits for it. */
  ensure(): Promise<void> {
    const { names } = this.#server;
    this.#stream ??= ensureStream(this.#server, progressStream(names, this.#replicas)).then(
      () => void (this.#ready = true),
      (error: unknown) => {
        // A failure is not kept: the next report tries again.
        this.#stream = undefined;
        throw error;
      },
    );
    return this.#stream;
  }
}

/** @returns undefined for bytes that no runtime wrote */
function readReport(bytes: Uint8Array): ProgressReport | undefined {
  try {
    const report = decodeBody(bytes, "application/msgpack") as Partial<ProgressReport> | null;
    return typeof report?.value === "number" && typeof report.attempt === "number"
      ? (report as ProgressReport)
      : undefined;
  } catch {
    return undefined;
  }
}
