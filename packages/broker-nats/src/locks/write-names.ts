/** One holding of a lock, from the acquisition to the release. */
export interface Holding {
  /** Tells what was written for it from what was written for others. */
  readonly write: string;
  /** When it was first asked for, by its holder's clock. For people: nothing is decided by it. */
  readonly since: number;
}

/**
 * Names for what one holding of a lock writes, from the acquisition to the release. A name is found
 * by the object that the caller holds (its claim, then each lock it is given), so that what an
 * earlier try wrote without an answer, or what was written on the holder's behalf, is recognised as
 * its own. An object that was replaced by a later one finds nothing.
 */
export class WriteNames {
  readonly #newId: () => string;
  readonly #now: () => number;
  readonly #holdings = new WeakMap<object, Map<string, Holding>>();
  /** Callers with a call under way, and for which locks. */
  readonly #inside = new WeakMap<object, Set<string>>();

  constructor(newId: () => string, now: () => number) {
    this.#newId = newId;
    this.#now = now;
  }

  /**
   * @returns the caller, or another in its stead where it is in such a call already: two calls at
   *   the same time are two holders, whatever object they share
   */
  enter<Caller extends object>(caller: Caller, lock: string): Caller {
    const inside = this.#inside.get(caller) ?? new Set<string>();
    if (inside.has(lock)) return { ...caller };
    this.#inside.set(caller, inside.add(lock));
    return caller;
  }

  leave(caller: object, lock: string): void {
    this.#inside.get(caller)?.delete(lock);
  }

  /** @param lock tells apart what one caller writes with one object */
  holdingOf(caller: object, lock: string): Holding {
    const known = this.#holdings.get(caller)?.get(lock);
    if (known !== undefined) return known;
    const holding = { write: this.#newId(), since: this.#now() };
    this.#set(caller, lock, holding);
    return holding;
  }

  /** The name of what it wrote. */
  find(caller: object, lock: string): string | undefined {
    return this.#holdings.get(caller)?.get(lock)?.write;
  }

  /** The next object of the same holding. */
  carry(from: object, to: object, lock: string): void {
    const holding = this.#holdings.get(from)?.get(lock);
    this.forget(from, lock);
    if (holding !== undefined) this.#set(to, lock, holding);
  }

  forget(caller: object, lock: string): void {
    this.#holdings.get(caller)?.delete(lock);
  }

  #set(caller: object, lock: string, holding: Holding): void {
    const holdings = this.#holdings.get(caller) ?? new Map<string, Holding>();
    this.#holdings.set(caller, holdings.set(lock, holding));
  }
}
