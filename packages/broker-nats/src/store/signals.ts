import {
  type JobRef,
  MAX_WAITING_SIGNALS,
  MillraceError,
  requireId,
  requirePlace,
  type SignalBody,
  type SignalRef,
  type SignalStore,
  type Stoppable,
  type StoredSignal,
} from "@millrace/core";
import { orWithoutStream, request } from "../jetstream-errors.ts";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import { StreamOnce } from "../topology/stream-once.ts";
import { signalStream } from "../topology/streams.ts";
import { behindBarrier } from "../reads/behind-barrier.ts";
import { lastMessage } from "../reads/next-message.ts";
import { readStream } from "../reads/read-stream.ts";
import { removeMessage } from "./remove-message.ts";
import type { ServerAccess } from "./server-access.ts";
import { SignalFollower } from "./signal-follower.ts";

/** Names a signal. The server's own ids are of a stream, and so of all jobs. */
const SIGNAL_ID = "Millrace-Signal-Id";

export interface NatsSignalsOptions {
  readonly server: ServerAccess;
  readonly publisher: ConfirmedPublisher;
  readonly replicas: number;
  readonly onProblem: (error: unknown, doing: string) => void;
}

/**
 * Signals in one stream, a subject for each name of each job. They are read from the stream's
 * leader: a job that looks for its signal after it was put aside must see one that was confirmed
 * before.
 */
export class NatsSignals implements SignalStore {
  readonly #options: NatsSignalsOptions;
  readonly #stream: StreamOnce;

  constructor(options: NatsSignalsOptions) {
    const { server, replicas } = options;
    this.#options = options;
    this.#stream = new StreamOnce(server, signalStream(server.names, replicas));
  }

  async send(signal: SignalRef, { data, contentType, signalId }: SignalBody): Promise<void> {
    const { server, publisher } = this.#options;
    await this.#stream.ensure();
    const headers = {
      ...(contentType === undefined ? {} : { "Content-Type": contentType }),
      ...(signalId === undefined ? {} : { [SIGNAL_ID]: signalId }),
    };
    try {
      await publisher.publish(server.names.signal(signal), data, headers);
    } catch (error) {
      if (MillraceError.is(error, "queue-not-found")) this.#stream.forget();
      if (!MillraceError.is(error, "queue-full")) throw error;
      throw new MillraceError(
        "queue-full",
        `${MAX_WAITING_SIGNALS} signals ${signal.name} wait for the job ${signal.id}, which are as many as may. Send this one when the job has taken some.`,
        { cause: error },
      );
    }
  }

  async read(signal: SignalRef): Promise<readonly StoredSignal[]> {
    requireId(requirePlace(signal).name);
    const { nc, jsm, names } = this.#options.server;
    const range = { stream: names.signalStream, filter: names.signal(signal) };
    const found: StoredSignal[] = [];
    const messages = await behindBarrier(this.#options.server, range.stream, async () =>
      readStream(nc, jsm, range),
    );
    for await (const { sequence, storedAt, data, headers } of messages) {
      const contentType = headers["content-type"];
      const signalId = headers[SIGNAL_ID.toLowerCase()];
      found.push({
        ...{ sequence, storedAt, data },
        ...(contentType === undefined ? {} : { contentType }),
        ...(signalId === undefined ? {} : { signalId }),
      });
    }
    return found;
  }

  async drop({ id, name }: SignalRef, sequence: number): Promise<void> {
    const { jsm, names } = this.#options.server;
    await request(`forget the signal ${name} of the job ${id}`, () =>
      orWithoutStream(false, () => removeMessage(jsm, names.signalStream, sequence)),
    );
  }

  async newest(job: JobRef): Promise<number> {
    requirePlace(job);
    const { jsm, names } = this.#options.server;
    const last = await request(`look for signals of the job ${job.id}`, () =>
      lastMessage(jsm, names.signalStream, names.signal({ ...job, name: "*" })),
    );
    return last?.seq ?? 0;
  }

  async remove(job: JobRef, until?: number): Promise<void> {
    requirePlace(job);
    const { jsm, names } = this.#options.server;
    const filter = names.signal({ ...job, name: "*" });
    await request(`forget the signals of the job ${job.id}`, () =>
      orWithoutStream(undefined, async () => {
        await jsm.streams.purge(names.signalStream, {
          ...{ filter, ...(until === undefined ? {} : { seq: until + 1 }) },
        });
      }),
    );
  }

  async follow(hear: (signal: SignalRef) => Promise<void>): Promise<Stoppable> {
    const { server, onProblem } = this.#options;
    await this.#stream.ensure();
    const remake = async (): Promise<void> => {
      this.#stream.forget();
      await this.#stream.ensure();
    };
    return SignalFollower.start({ server, hear, remake, onProblem });
  }
}
