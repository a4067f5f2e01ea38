import { type DocumentStore, SCHEDULE_STATE } from "@millrace/core";
import type { HeldLease } from "../lock/lock-request.ts";
import type { ScheduleBook } from "./schedule-book.ts";
import type { SchedulerHost } from "./scheduler-host.ts";
import { Ticker } from "./ticker.ts";

/** What this node does while it leads: a ticker for each schedule, fed with what others write. */
export class Leadership {
  readonly #host: SchedulerHost;
  readonly #book: ScheduleBook;
  readonly #lease: HeldLease;
  readonly #onOver: () => void;
  readonly #tickers = new Map<string, Ticker>();
  #states: DocumentStore | undefined;
  #unwatch: { stop(): Promise<void> } | undefined;
  #unlisten: (() => void) | undefined;
  #stopped = false;

  /** @param onOver called when another leads or may lead; may be called more than once */
  constructor(host: SchedulerHost, book: ScheduleBook, lease: HeldLease, onOver: () => void) {
    this.#host = host;
    this.#book = book;
    this.#lease = lease;
    this.#onOver = onOver;
  }

  async start(): Promise<void> {
    this.#lease.signal.addEventListener("abort", this.#onOver, { once: true });
    this.#states = await this.#host.broker.documents(SCHEDULE_STATE);
    this.#unwatch = await this.#states.watch(({ key, document }) => {
      this.#tickers.get(key)?.learn(document);
    });
    this.#unlisten = this.#book.onChange((name) => this.#follow(name));
    for (const name of this.#book.names) this.#follow(name);
    if (this.#stopped) await this.stop();
  }

  /** Resolves when nothing of it writes any more. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#lease.signal.removeEventListener("abort", this.#onOver);
    this.#unlisten?.();
    const tickers = [...this.#tickers.values()];
    this.#tickers.clear();
    await Promise.all([this.#unwatch?.stop(), ...tickers.map((ticker) => ticker.stop())]);
  }

  #follow(name: string): void {
    const schedule = this.#book.get(name);
    const ticker = this.#tickers.get(name);
    if (schedule === undefined) {
      this.#tickers.delete(name);
      void ticker?.stop();
    } else if (ticker !== undefined) ticker.reschedule(schedule);
    else if (this.#states !== undefined && !this.#stopped) {
      const added = new Ticker(schedule, {
        host: this.#host,
        states: this.#states,
        lease: this.#lease,
        onSuperseded: this.#onOver,
      });
      this.#tickers.set(name, added);
      added.wake();
    }
  }
}
