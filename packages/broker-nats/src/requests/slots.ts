/** What is kept in a slot knows the token it was given. */
export interface Tokened {
  token: number;
}

/**
 * Things that wait for an answer, each under a token that never comes again. A token says which
 * slot, so finding its thing is one look into an array; at the rates this serves, a `Map` that is
 * filled and emptied all the time costs more than the rest.
 */
export class Slots<T extends Tokened> {
  readonly #things: (T | undefined)[];
  readonly #free: number[];
  /** How often slots were given out, counted over all of them: makes tokens of one slot differ. */
  #round = 0;

  constructor(capacity: number) {
    this.#things = Array.from({ length: capacity }, () => undefined);
    this.#free = Array.from({ length: capacity }, (_, slot) => capacity - 1 - slot);
  }

  get size(): number {
    return this.#things.length - this.#free.length;
  }

  get full(): boolean {
    return this.#free.length === 0;
  }

  /** Gives the thing a token and keeps it. Only while not `full`. */
  put(thing: T): void {
    const slot = this.#free.pop() as number;
    this.#round += 1;
    thing.token = this.#round * this.#things.length + slot;
    this.#things[slot] = thing;
  }

  /** @returns undefined for a token whose thing is gone */
  get(token: number): T | undefined {
    const thing = this.#things[token % this.#things.length];
    return thing?.token === token ? thing : undefined;
  }

  /** Removing what is gone does nothing. */
  remove(thing: T): void {
    const slot = thing.token % this.#things.length;
    if (this.#things[slot] !== thing) return;
    this.#things[slot] = undefined;
    this.#free.push(slot);
  }

  /** The things that pass at this moment, in the order in which they were put. */
  inOrder(passes: (thing: T) => boolean): readonly T[] {
    return this.#things
      .filter((thing): thing is T => thing !== undefined && passes(thing))
      .sort((a, b) => a.token - b.token);
  }
}
