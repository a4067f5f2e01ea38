import { type Clock, type HistoryRecord, MillraceError, type Timer } from "@millrace/core";
import type { LiveView, RateView, RefView } from "../api/views/views.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { MOMENT_MS } from "../fleet/once-a-moment.ts";
import { Rates } from "./rates.ts";

/** What happens within this time is told at once. */
const GATHER_MS = 500;
/**
 * Between two times that pages are told. They ask at once, and an answer is kept for a moment: who
 * is told earlier gets the one that it has, and would not learn of a burst's end.
 */
const NEXT_MS = MOMENT_MS + 250;
/** A page that is loaded anew finds the feed still there, and the figures of the last minutes. */
const LINGER_MS = 5 * 60_000;
const AGAIN_MS = 1_000;
/** Of a burst the queues are told, and so many of the jobs. */
const MOST_JOBS = 200;

/** A page that is told what moved, until the feed ends. */
export interface LiveListener {
  tell(news: LiveView): void;
  end(): void;
}

type Following =
  | { readonly kind: "idle" }
  | { readonly kind: "following"; readonly stop: AbortController }
  | { readonly kind: "lingering"; readonly stop: AbortController; readonly timer: Timer };

/**
 * Follows the history once for all pages that are open, and tells them what moved. Records are not
 * passed on: a page asks for what it shows.
 */
export class LiveFeed {
  readonly #fleet: Pick<Fleet, "jobs" | "status" | "onStatus">;
  readonly #clock: Clock;
  readonly #rates = new Rates();
  readonly #listeners = new Set<LiveListener>();
  readonly #queues = new Set<string>();
  readonly #jobs = new Map<string, RefView>();
  #gathering: Timer | undefined;
  /** Monotonic milliseconds. */
  #toldAt = Number.NEGATIVE_INFINITY;
  #following: Following = { kind: "idle" };
  #isClosed = false;

  constructor(fleet: Pick<Fleet, "jobs" | "status" | "onStatus">, clock: Clock) {
    this.#fleet = fleet;
    this.#clock = clock;
  }

  /** @returns a function that ends it */
  listen(listener: LiveListener): () => void {
    this.#listeners.add(listener);
    this.#follow();
    // A page that is opened in an outage must not believe that all is well.
    listener.tell({ queues: [], jobs: [], connected: this.#fleet.status === "connected" });
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#linger();
    };
  }

  rates(): readonly RateView[] {
    return this.#rates.list(this.#clock.now());
  }

  close(): void {
    this.#isClosed = true;
    this.#gathering?.cancel();
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener.end();
    this.#end();
  }

  #follow(): void {
    const following = this.#following;
    if (this.#isClosed || following.kind === "following") return;
    if (following.kind === "lingering") {
      following.timer.cancel();
      this.#following = { kind: "following", stop: following.stop };
      return;
    }
    const stop = new AbortController();
    this.#following = { kind: "following", stop };
    const unlisten = this.#fleet.onStatus(() => this.#tell());
    stop.signal.addEventListener("abort", unlisten, { once: true });
    void this.#read(stop.signal);
  }

  #linger(): void {
    if (this.#following.kind !== "following") return;
    const timer = this.#clock.setTimer(LINGER_MS, () => this.#end());
    timer.unref?.();
    this.#following = { kind: "lingering", stop: this.#following.stop, timer };
  }

  #end(): void {
    if (this.#following.kind === "idle") return;
    if (this.#following.kind === "lingering") this.#following.timer.cancel();
    this.#following.stop.abort();
    this.#following = { kind: "idle" };
  }

  async #read(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const record of this.#fleet.jobs.watch({ signal })) this.#take(record);
        if (this.#fleet.status === "closed") return;
      } catch (error) {
        // Too slow for a burst, or an outage: pages ask again by themselves meanwhile.
        if (!MillraceError.is(error)) throw error;
      }
      if (!signal.aborted) await this.#pause(signal);
    }
  }

  #pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(AGAIN_MS, resolve);
      timer.unref?.();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  #take(record: HistoryRecord): void {
    const { id, queue } = record;
    this.#rates.count(record, this.#clock.now());
    this.#queues.add(queue);
    if (this.#jobs.size < MOST_JOBS) this.#jobs.set(`${queue}/${id}`, { id, queue });
    if (this.#gathering !== undefined) return;
    const sinceMs = this.#clock.monotonic() - this.#toldAt;
    const inMs = Math.max(GATHER_MS, NEXT_MS - sinceMs);
    this.#gathering = this.#clock.setTimer(inMs, () => this.#tell());
  }

  #tell(): void {
    this.#gathering?.cancel();
    this.#gathering = undefined;
    this.#toldAt = this.#clock.monotonic();
    const news: LiveView = {
      queues: [...this.#queues],
      jobs: [...this.#jobs.values()],
      connected: this.#fleet.status === "connected",
    };
    this.#queues.clear();
    this.#jobs.clear();
    for (const listener of this.#listeners) listener.tell(news);
  }
}
