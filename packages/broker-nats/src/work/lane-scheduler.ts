import { type LaneName, LaneTurns, type LaneWeights } from "@millrace/core";
import { contends, type LaneState } from "./lane-plan.ts";

/** One lane and what it asks for. */
export interface Seat {
  readonly name: LaneName;
  readonly pull: {
    /** Asked for and not here yet. */
    readonly outstanding: number;
    /** Asks the seat's plan, which takes what was dealt. */
    refill(): void;
  };
  /** Written by `LanePulls`. */
  state: LaneState;
  /** Slots it may ask for, and has not yet. Written by the dealer; its plan takes them. */
  dealt: number;
}

/**
 * Deals a worker's free slots to the lanes that contend, and lets the others ask for a job when it
 * is their turn.
 */
export class LaneScheduler {
  readonly #turns: LaneTurns;
  readonly #free: () => number;

  constructor(weights: LaneWeights, free: () => number) {
    this.#turns = new LaneTurns(weights);
    this.#free = free;
  }

  share(seats: readonly Seat[]): void {
    if (this.#free() < 1) return;
    const contenders = seats.filter(({ state }) => contends(state));
    const idle = seats.filter((seat) => !contends(seat.state) && seat.pull.outstanding === 0);
    const [first] = contenders;
    if (first === undefined) for (const { pull } of idle) pull.refill();
    else if (contenders.length === 1 && first.state === "backlog") this.#shareWithOne(first, idle);
    else this.#deal(contenders, new Set(idle));
  }

  /** It takes all slots by its own plan; for each that it takes the others have a turn. */
  #shareWithOne(busy: Seat, idle: readonly Seat[]): void {
    const waiting = new Set(idle);
    const turns = Math.max(1, this.#free() - busy.pull.outstanding);
    for (let turn = 0; turn < turns && waiting.size > 0; turn += 1) {
      const next = this.#next([busy, ...waiting]);
      if (waiting.delete(next)) letAsk(next);
    }
    busy.pull.refill();
  }

  #deal(contenders: readonly Seat[], waiting: Set<Seat>): void {
    const able = new Set(contenders);
    while (able.size > 0) {
      let missing = contenders.reduce(
        (n, seat) => n - seat.pull.outstanding - seat.dealt,
        this.#free(),
      );
      while (missing > 0) {
        const next = this.#next([...able, ...waiting]);
        if (waiting.delete(next)) letAsk(next);
        else {
          next.dealt += 1;
          missing -= 1;
        }
      }
      // A lane that can't ask at the moment, after a fault, leaves its slots to the others.
      const stuck = [...able].filter((seat) => !asks(seat));
      if (stuck.length === 0) return;
      for (const seat of stuck) {
        seat.dealt = 0;
        able.delete(seat);
      }
    }
  }

  #next(seats: readonly Seat[]): Seat {
    const lane = this.#turns.next(seats.map(({ name }) => name));
    return seats.find(({ name }) => name === lane) as Seat;
  }
}

function letAsk(seat: Seat): void {
  seat.dealt = 1;
  seat.pull.refill();
}

/** Asks for what it was dealt. @returns whether it did, or will when what is on its way has come */
function asks(seat: Seat): boolean {
  if (seat.dealt > 0 && seat.pull.outstanding === 0) seat.pull.refill();
  return seat.dealt === 0 || seat.pull.outstanding > 0;
}
