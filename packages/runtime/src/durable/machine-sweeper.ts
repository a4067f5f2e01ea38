import {
  type Broker,
  type Clock,
  type Document,
  type DocumentStore,
  endedIn,
  findToReplace,
  forgetMachine,
  isNoMachine,
  type Logger,
  type MachineDefinition,
  MACHINES_BUCKET,
  MillraceError,
  recordError,
  someAtATime,
  type Stoppable,
  type Timer,
} from "@millrace/core";

export interface MachineSweeperOptions {
  readonly broker: Pick<Broker, "documents" | "inbox">;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1): nodes do not sweep at once. Several that do harm nothing. */
  readonly random: () => number;
  readonly definition: Pick<MachineDefinition, "name" | "keepEndedMs">;
}

const PAGE = 500;
/** Machines that are forgotten side by side. */
const AT_A_TIME = 16;
const SHORTEST_PERIOD_MS = 15_000;
const LONGEST_PERIOD_MS = 6 * 3_600_000;
const PERIODS_IN_KEPT = 24;

/** How far the documents of one name have been looked through. */
interface SweptUntil {
  readonly until: number;
  /** Of the document that says so. */
  readonly revision: number;
}

/**
 * Forgets machines that ended long ago, and what hosts that were killed have left in their place.
 *
 * Documents are read in the order in which they were written, from where the last sweep of the
 * fleet came to, up to those that are too young: a document that stays where it is behind that
 * place is a machine that goes on. So each document is read once at most, when it has become old,
 * and a million machines at rest cost a sweep nothing.
 */
export class MachineSweeper implements Stoppable {
  readonly #options: MachineSweeperOptions;
  #timer: Timer | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: MachineSweeperOptions) {
    this.#options = options;
    this.#arm();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#sweeping;
  }

  #arm(): void {
    const { clock, definition, random } = this.#options;
    const { keepEndedMs } = definition;
    if (keepEndedMs === undefined || this.#stopped) return;
    const period = Math.min(
      Math.max(keepEndedMs / PERIODS_IN_KEPT, SHORTEST_PERIOD_MS),
      LONGEST_PERIOD_MS,
    );
    this.#timer = clock.setTimer(period * (0.5 + random()), () => {
      this.#sweeping = this.#round(keepEndedMs).then(() => this.#arm());
    });
  }

  /** Never rejects. */
  async #round(keepMs: number): Promise<void> {
    const { definition, log } = this.#options;
    const machine = definition.name;
    try {
      const forgotten = await this.#sweep(keepMs);
      if (forgotten > 0) log.info({ machine, forgotten }, "ended machines were forgotten");
    } catch (error) {
      if (!this.#stopped)
        log.warn({ machine, error: recordError(error) }, "machines could not be swept");
    }
  }

  async #sweep(keepMs: number): Promise<number> {
    const documents = await this.#options.broker.documents(MACHINES_BUCKET);
    const oldest = { under: this.#options.definition.name, order: "oldest first" } as const;
    const swept = await this.#swept(documents);
    let [after, place, forgotten] = [swept.until, swept.until, 0];
    let isComplete = true;
    // Mostly the first is too young.
    for (let limit = 1; !this.#stopped; limit = PAGE) {
      const page = await documents.page({ ...oldest, after, limit });
      const now = page.documents.length === 0 ? 0 : await documents.now();
      const young = page.documents.findIndex(({ updatedAt }) => now - updatedAt < keepMs);
      const old = young < 0 ? page.documents : page.documents.slice(0, young);
      const { gone, left } = await this.#forgetAll(documents, old);
      forgotten += gone;
      // What says how far it came would else be written anew for its own sake.
      const last = old.findLast(({ key }) => key !== this.#sweptKey)?.revision;
      if (isComplete) place = left === undefined ? (last ?? place) : left - 1;
      isComplete &&= left === undefined;
      if (young >= 0 || page.next === undefined) break;
      after = page.next;
    }
    if (place > swept.until) await this.#noteSwept(documents, { ...swept, until: place });
    return forgotten;
  }

  /** @returns in `left` the first that could not go: it is looked at again */
  async #forgetAll(
    documents: DocumentStore,
    old: readonly Document[],
  ): Promise<{ readonly gone: number; readonly left: number | undefined }> {
    const leftovers = old.filter(({ value }) => isNoMachine(value));
    for (const { key, revision } of leftovers) await documents.erase(key, revision);
    const ended = old.filter((document) => endedIn(document) !== undefined);
    const forget = async (document: Document): Promise<boolean> =>
      !this.#stopped && this.#forget(document);
    const went = await someAtATime(ended, forget, AT_A_TIME);
    return { gone: went.filter(Boolean).length, left: ended[went.indexOf(false)]?.revision };
  }

  /**
   * What may come again of a machine would find none: its start would begin another life, and what
   * its host has left undone would stay so.
   */
  #forget({ value, revision }: Document): Promise<boolean> {
    const { broker } = this.#options;
    const document = endedIn({ value });
    if (document === undefined) return Promise.resolve(false);
    const { machine, id } = document;
    return forgetMachine(broker, { machine, id, revision }, async (ended) => {
      const { status, pending, cause, unsent } = ended;
      if (status === "active" || unsent !== undefined) return false;
      if ((await broker.inbox.next({ machine, id }, 1)) !== undefined) return false;
      return pending.length === 0 || !(await broker.inbox.has(cause));
    });
  }

  get #sweptKey(): string {
    // No machine's: those have two tokens.
    return `${this.#options.definition.name}.swept.until`;
  }

  async #swept(documents: DocumentStore): Promise<SweptUntil> {
    const found = await findToReplace(documents, this.#sweptKey);
    const { until } = (found?.value ?? {}) as { readonly until?: unknown };
    return { until: typeof until === "number" ? until : 0, revision: found?.revision ?? 0 };
  }

  async #noteSwept(documents: DocumentStore, { until, revision }: SweptUntil): Promise<void> {
    try {
      await documents.put(this.#sweptKey, { v: 1, until }, revision);
    } catch (error) {
      // Another node has come as far.
      if (!MillraceError.is(error, "revision-conflict")) throw error;
    }
  }
}
