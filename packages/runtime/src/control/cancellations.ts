import {
  type Broker,
  CANCELLATIONS_BUCKET,
  type Cancellation,
  cancellationKeys,
  type Clock,
  type Document,
  type DocumentStore,
  type Envelope,
  isMeant,
  type Logger,
  readCancellation,
  recordError,
  type Stoppable,
} from "@millrace/core";
import { KnownAfterOutage } from "../execution/recall/known-after-outage.ts";
import { SweepRounds } from "./sweep-rounds.ts";
import { sweepCancellations } from "./sweep-cancellations.ts";

/**
 * A write that was heard of and is on no list so much later was refused, or its document is gone
 * again. Asking again over elections is over by then.
 */
const MAY_BE_STORED_MS = 60_000;

export interface OpenCancellation extends Cancellation {
  readonly revision: number;
}

export interface CancellationsOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1). */
  readonly random: () => number;
  /** Only the cancellations of these queues' jobs are of interest here. */
  readonly queues: readonly string[];
  /** A cancellation has come in; a job of this queue may be the one. */
  readonly onCancel: (queue: string, id: string) => void;
}

/**
 * The open cancellations of the queues that a node serves, in memory: a job is looked up here
 * without a round trip. About 200 bytes each, and there are never more than jobs that somebody
 * cancelled and no node has reached yet.
 *
 * Kept up to date by a watch; listed anew after every reconnect, because what happened in an outage
 * may have gone by unheard. A watch whose server has died is silent for seconds before anybody
 * knows: what is written meanwhile is heard as it is asked for, and believed until the watch or a
 * list knows better.
 */
export class Cancellations {
  readonly #options: CancellationsOptions;
  readonly #open = new Map<string, OpenCancellation>();
  /** Heard of, and not told by the watch or a list yet. */
  readonly #heard = new Map<string, Cancellation & { readonly heardMono: number }>();
  /**
   * What the watch told while a listing was under way: it knows better than the list. Undefined
   * while there is none.
   */
  #toldMeanwhile: Set<string> | undefined;
  #listing: Promise<void> = Promise.resolve();
  readonly #known = new KnownAfterOutage(() => this.#list());
  readonly #sweeps: SweepRounds;
  /** By the last sweep. */
  #lookedUpTo = "";

  constructor(options: CancellationsOptions) {
    this.#options = options;
    this.#sweeps = new SweepRounds(options, () => this.#sweep());
  }

  /** The cancellation that is meant for this very job, if there is one. */
  of(envelope: Envelope): Cancellation | undefined {
    if (envelope.cancelled !== undefined) return { reason: envelope.cancelled };
    if (this.#open.size === 0 && this.#heard.size === 0) return undefined;
    return cancellationKeys(envelope)
      .flatMap((key) => [this.#open.get(key), this.#heard.get(key)])
      .find((found) => found !== undefined && isMeant(found, envelope));
  }

  /**
   * Whether a job may have been cancelled in an outage that is over, and nobody here knows it yet.
   * Asked for every job, so it must be cheap.
   */
  get isBehind(): boolean {
    return this.#known.isStale;
  }

  /**
   * Resolves when `of` knows what was cancelled in the last outage.
   * @throws MillraceError where the bucket can't be read
   */
  catchUp(): Promise<void> {
    return this.#known.catchUp();
  }

  /** Hear and watch first, then list: then nothing is missed. */
  async watch(): Promise<Stoppable> {
    const { broker, log } = this.#options;
    const documents = await this.#documents();
    this.#sweeps.start();
    const listeners: Stoppable[] = [];
    const stop = async (): Promise<void> => {
      this.#sweeps.stop();
      await Promise.all(listeners.map((listener) => listener.stop()));
    };
    try {
      listeners.push(await documents.hearPuts((put) => this.#hear(put)));
      const told: Parameters<DocumentStore["watch"]>[0] = ({ key, document }) => {
        this.#toldMeanwhile?.add(key);
        this.#learn(key, document);
      };
      listeners.push(await documents.watch(told));
      const failed = (error: unknown): void => {
        log.warn({ error: recordError(error) }, "open cancellations could not be listed anew");
        // A sweep lists them too.
        this.#sweeps.wanted();
      };
      listeners.push(await this.#known.open(broker, failed));
    } catch (error) {
      await stop();
      throw error;
    }
    return { stop };
  }

  /** The job has ended: its cancellation is over, whatever became of the job. Never rejects. */
  async close(envelope: Envelope): Promise<void> {
    try {
      for (const key of cancellationKeys(envelope)) await this.#closeAt(key, envelope);
    } catch (error) {
      this.#options.log.debug(
        { job: envelope.id, error: recordError(error) },
        "the cancellation of a job that has ended stays behind until it is swept",
      );
    }
  }

  /** What means another job of the id stays. */
  async #closeAt(key: string, envelope: Envelope): Promise<void> {
    const [open, heard] = [this.#open.get(key), this.#heard.get(key)];
    const isOver = (found: Cancellation | undefined): boolean =>
      found !== undefined && isMeant(found, envelope);
    const revision = isOver(open) ? open?.revision : undefined;
    if (isOver(open)) this.#open.delete(key);
    if (isOver(heard)) this.#heard.delete(key);
    if (isOver(open) || isOver(heard)) await this.#remove(key, revision, envelope);
  }

  /** @param revision undefined where it was only heard of */
  async #remove(key: string, revision: number | undefined, envelope: Envelope): Promise<void> {
    const documents = await this.#documents();
    let failure: unknown;
    try {
      if (revision !== undefined) return await documents.remove(key, revision);
    } catch (error) {
      failure = error;
    }
    // Written anew meanwhile: for this job once more, or for a later one of the same id, which is
    // none of ours.
    const document = await documents.get(key);
    if (document === undefined || !isMeant(readCancellation(document.value), envelope)) return;
    if (document.revision === revision) throw failure;
    await documents.remove(key, document.revision);
  }

  #documents(): Promise<DocumentStore> {
    return this.#options.broker.documents(CANCELLATIONS_BUCKET);
  }

  #hear({ key, value }: Pick<Document, "key" | "value">): void {
    const job = this.#jobOf(key);
    if (job === undefined) return;
    const heardMono = this.#options.clock.monotonic();
    this.#heard.set(key, { ...readCancellation(value), heardMono });
    this.#options.onCancel(job.queue, job.id);
  }

  #learn(key: string, document: Document | undefined): void {
    const job = this.#jobOf(key);
    if (job === undefined) return;
    this.#heard.delete(key);
    if (document === undefined) {
      this.#open.delete(key);
      return;
    }
    const { revision, value } = document;
    if (this.#open.get(key)?.revision === revision) return;
    this.#open.set(key, { ...readCancellation(value), revision });
    this.#options.onCancel(job.queue, job.id);
  }

  /** Names the job if its queue is served here. Then there may be something to sweep. */
  #jobOf(key: string): { readonly queue: string; readonly id: string } | undefined {
    const [queue = "", id = ""] = key.split(".");
    if (!this.#options.queues.includes(queue)) return undefined;
    this.#sweeps.wanted();
    return { queue, id };
  }

  /** One after the other, so that an older list never overrules a newer one. */
  #list(): Promise<void> {
    this.#listing = this.#listing.catch(() => {}).then(() => this.#listOnce());
    return this.#listing;
  }

  async #listOnce(): Promise<void> {
    const told = (this.#toldMeanwhile = new Set<string>());
    const refusedBefore = this.#options.clock.monotonic() - MAY_BE_STORED_MS;
    try {
      const documents = await (await this.#documents()).list();
      const listed = new Set(documents.map(({ key }) => key));
      for (const key of this.#open.keys())
        if (!listed.has(key) && !told.has(key)) this.#open.delete(key);
      for (const [key, { heardMono }] of this.#heard)
        if (!listed.has(key) && heardMono < refusedBefore) this.#heard.delete(key);
      for (const document of documents)
        if (!told.has(document.key)) this.#learn(document.key, document);
    } finally {
      this.#toldMeanwhile = undefined;
    }
  }

  async #sweep(): Promise<void> {
    await this.#list();
    const documents = await this.#documents();
    const after = this.#lookedUpTo;
    this.#lookedUpTo = await sweepCancellations(this.#options, documents, this.#open, after);
    if (this.#open.size > 0) this.#sweeps.wanted();
  }
}
