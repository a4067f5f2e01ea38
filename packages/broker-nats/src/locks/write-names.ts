/**
 * Names for what one holding of a lock writes, from the acquisition to the release. A name is found
 * by the object that the caller holds (its claim, then each lock it is given), so that what an
 * earlier try wrote without an answer, or what was written on the holder's behalf, is recognised as
 * its own. An object that was replaced by a later one finds nothing.
 */
export class WriteNames {
  readonly #newId: () => string;
  readonly #names = new WeakMap<object, Map<string, string>>();
  /** Callers with a call under way, and for which locks. */
  readonly #inside = new WeakMap<object, Set<string>>();

  constructor(newId: () => string) {
    this.#newId = newId;
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
  nameOf(caller: object, lock: string): string {
    const name = this.find(caller, lock) ?? this.#newId();
    this.#set(caller, lock, name);
    return name;
  }

  find(caller: object, lock: string): string | undefined {
    return this.#names.get(caller)?.get(lock);
  }

  /** The next object of the same holding. */
  carry(from: object, to: object, lock: string): void {
    const name = this.find(from, lock);
    this.forget(from, lock);
    if (name !== undefined) this.#set(to, lock, name);
  }

  forget(caller: object, lock: string): void {
    this.#names.get(caller)?.delete(lock);
  }

  #set(caller: object, lock: string, name: string): void {
    const names = this.#names.get(caller) ?? new Map<string, string>();
    this.#names.set(caller, names.set(lock, name));
  }
}
