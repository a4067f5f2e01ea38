import type { Clock, Timer } from "@millrace/core";

/**
 * Keeps things until their millisecond has come, and hands out together what is due together: the
 * connection writes to its socket once for each turn of the event loop, and a timer for each thing
 * would be a turn for each.
 */
export class DueTimes<T> {
  readonly #clock: Clock;
  readonly #onDue: (things: readonly T[]) => void;
  readonly #things = new Map<number, T[]>();
  /** The times above, as a heap: the next one is first. */
  readonly #times: number[] = [];
  #timer: Timer | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, onDue: (things: readonly T[]) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** @param at epoch milliseconds */
  add(at: number, thing: T): void {
    const time = Math.ceil(at);
    const others = this.#things.get(time);
    if (others !== undefined) return void others.push(thing);
    this.#things.set(time, [thing]);
    this.#push(time);
    this.#arm();
  }

  /** Takes all out; nothing is due any more. */
  clear(): readonly T[] {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
    const all = [...this.#things.values()].flat();
    this.#things.clear();
    this.#times.length = 0;
    return all;
  }

  #arm(): void {
    const next = this.#times[0];
    if (next === undefined || next >= this.#armedFor) return;
    this.#timer?.cancel();
    this.#armedFor = next;
    this.#timer = this.#clock.setTimer(Math.max(0, next - this.#clock.now()), () => this.#fire());
  }

  /**
   * A timer may fire a little early, by the clock that counts: then it is set again, and nothing is
   * handed out before its time.
   */
  #fire(): void {
    this.#armedFor = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    const due: T[] = [];
    for (let time = this.#times[0]; time !== undefined && time <= now; time = this.#times[0]) {
      this.#pop();
      for (const thing of this.#things.get(time) ?? []) due.push(thing);
      this.#things.delete(time);
    }
    this.#arm();
    if (due.length > 0) this.#onDue(due);
  }

  #push(time: number): void {
    const times = this.#times;
    let at = times.push(time) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((times[parent] as number) <= time) break;
      times[at] = times[parent] as number;
      at = parent;
    }
    times[at] = time;
  }

  #pop(): void {
    const times = this.#times;
    const last = times.pop();
    if (last === undefined || times.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= times.length) break;
      if (child + 1 < times.length && (times[child + 1] as number) < (times[child] as number))
        child += 1;
      if ((times[child] as number) >= last) break;
      times[at] = times[child] as number;
      at = child;
    }
    times[at] = last;
  }
}
