import { AsyncLocalStorage } from "node:async_hooks";
import { type Clock, MillraceError, type StepRef, type Timer } from "@millrace/core";
import { placeOf, shownStep } from "../step-place.ts";

/** A turn of the event loop. What the handler does in one, it does in one order in each run. */
interface Turn {
  /** It comes of an answer, and these are given in one order in each run. */
  readonly isOrdered: boolean;
}

/** What a branch of the handler has asked for, the last of it first. */
interface Asked {
  readonly place: string;
  readonly turn: Turn;
  readonly before: Asked | undefined;
}

const branch = new AsyncLocalStorage<Asked | undefined>();

/** What the handler's branches ask for is known within them alone. */
export function inBranches<T>(handler: () => T): T {
  return branch.run(undefined, handler);
}

/**
 * Refuses steps of one name whose order no record tells: branches that await something else than
 * steps may ask for them in another order the next time, and one would be given the other's record.
 */
export class Branches {
  readonly #clock: Clock;
  /** By name, those from the first on that the handler waits for. */
  readonly #asked = new Map<string, Asked[]>();
  #turn: Turn | undefined;
  #ending: Timer | undefined;
  #refused: MillraceError | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Why no step can be asked for any more. */
  get refused(): MillraceError | undefined {
    return this.#refused;
  }

  /** The handler is told of something that is told in one order in each run. */
  told(): void {
    this.#begin({ isOrdered: true });
  }

  /**
   * In the turn of the call.
   *
   * @param isOpen whether the handler waits for the step at this place
   * @throws MillraceError `invalid-step`
   */
  ask(step: StepRef, isOpen: (place: string) => boolean): void {
    if (this.#refused !== undefined) throw this.#refused;
    // The handler begins with what it asks for first.
    const turn = this.#turn ?? this.#begin({ isOrdered: this.#asked.size === 0 });
    const before = branch.getStore();
    const others = this.#openOf(step.name, isOpen);
    const isTold = (other: Asked | undefined): boolean =>
      other === undefined || !isOpen(other.place) || isAfter(other, { turn, before });
    if (!isTold(others[0]) || !isTold(others.at(-1))) {
      this.#refused = new MillraceError(
        "invalid-step",
        `The step ${shownStep(step)} is asked for beside another of its name, by a branch that has awaited something else than steps: the next attempt may ask for them in another order, and take one for the other. Give each a name of its own, as \`pay:\${id}\`, or do in a step what the branch awaits.`,
      );
      throw this.#refused;
    }
    const asked = { place: placeOf(step), turn, before };
    others.push(asked);
    branch.enterWith(asked);
  }

  /** Those before the first one that is open are forgotten. */
  #openOf(name: string, isOpen: (place: string) => boolean): Asked[] {
    const all = this.#asked.get(name) ?? [];
    const first = all.findIndex(({ place }) => isOpen(place));
    if (first !== 0) all.splice(0, first < 0 ? all.length : first);
    this.#asked.set(name, all);
    return all;
  }

  close(): void {
    this.#ending?.cancel();
  }

  #begin(turn: Turn): Turn {
    this.#ending?.cancel();
    this.#ending = this.#clock.setTimer(0, () => (this.#turn = undefined));
    this.#turn = turn;
    return turn;
  }
}

/** Whether one is asked for after the other in each run. */
function isAfter(other: Asked, { turn, before }: Omit<Asked, "place">): boolean {
  if (other.turn === turn || (other.turn.isOrdered && turn.isOrdered)) return true;
  for (let one = before; one !== undefined; one = one.before) if (one === other) return true;
  return false;
}
