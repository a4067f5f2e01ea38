import type { Clock } from "@millrace/core";
import type { Timeline } from "./timeline.ts";

/** The wall clock of every world begins here. */
export const WORLD_BEGAN = Date.UTC(2030, 0, 1);

/**
 * A process of the world: whatever reaches it comes through here, its timers and its network.
 * Frozen, as by SIGSTOP, it goes on where it was at the thaw, with everything that came meanwhile
 * in its buffers. Dead, nothing of it ever happens again.
 */
export class SimProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly #timeline: Timeline;
  readonly #ends: (() => void)[] = [];
  #life: "running" | "frozen" | "dead" = "running";
  #timersDue: (() => void)[] = [];
  #arrived: (() => void)[] = [];

  constructor(name: string, timeline: Timeline) {
    this.name = name;
    this.#timeline = timeline;
    this.clock = {
      now: () => Math.floor(WORLD_BEGAN + timeline.nowMs),
      monotonic: () => timeline.nowMs,
      setTimer: (delayMs, fire) => this.#setTimer(delayMs, fire),
    };
  }

  get isRunning(): boolean {
    return this.#life === "running";
  }

  get isDead(): boolean {
    return this.#life === "dead";
  }

  /** Something comes from outside, now. */
  receive(fire: () => void): void {
    if (this.#life === "running") fire();
    else if (this.#life === "frozen") this.#arrived.push(fire);
  }

  /** SIGKILL. */
  kill(): void {
    if (this.#life === "dead") return;
    this.#life = "dead";
    this.#timersDue = [];
    this.#arrived = [];
    for (const end of this.#ends.splice(0)) end();
  }

  /** Called when the process has died: by its operating system, so to speak. */
  onDeath(end: () => void): void {
    this.#ends.push(end);
  }

  /** SIGSTOP. */
  freeze(): void {
    if (this.#life === "running") this.#life = "frozen";
  }

  /** SIGCONT. @param networkFirst which of the two is looked at first is the event loop's to say */
  thaw(networkFirst: boolean): void {
    if (this.#life !== "frozen") return;
    this.#life = "running";
    const [timers, network] = [this.#timersDue, this.#arrived];
    this.#timersDue = [];
    this.#arrived = [];
    // One by one: each may end or freeze the process again.
    for (const fire of networkFirst ? [...network, ...timers] : [...timers, ...network])
      this.#timeline.plan(0, () => this.receive(fire));
  }

  #setTimer(delayMs: number, fire: () => void): { cancel(): void } {
    let cancelled = false;
    const due = (): void => {
      if (!cancelled) fire();
    };
    const planned = this.#timeline.plan(delayMs, () => {
      if (this.#life === "running") due();
      else if (this.#life === "frozen") this.#timersDue.push(due);
    });
    return {
      cancel: () => {
        cancelled = true;
        planned.cancel();
      },
    };
  }
}
