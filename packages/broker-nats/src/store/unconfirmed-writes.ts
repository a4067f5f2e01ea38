import { randomUUID } from "node:crypto";

/**
 * Names for writes, kept until their outcome is known. A caller that tries again with the same object gets the same name, by
 * which an earlier try that was stored after all is recognised.
 */
export class UnconfirmedWrites {
  readonly #names = new WeakMap<object, Map<string, string>>();

  /** @param key tells apart what one caller writes with one object */
  nameOf(caller: object, key: string): string {
    const names = this.#names.get(caller) ?? new Map<string, string>();
    this.#names.set(caller, names);
    const name = names.get(key) ?? randomUUID();
    names.set(key, name);
    return name;
  }

  find(caller: object, key: string): string | undefined {
    return this.#names.get(caller)?.get(key);
  }

  settle(caller: object, key: string): void {
    this.#names.get(caller)?.delete(key);
  }
}
