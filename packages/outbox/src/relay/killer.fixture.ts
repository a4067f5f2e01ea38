import { withOwn } from "@millrace/core";
import type { OutboxStore } from "../store/outbox-store.ts";

export class Killed extends Error {}

/** Calls go through until the process "dies" around one of them; then each fails. */
export class Killer {
  readonly #at: string;
  #dead = false;

  constructor(at: string) {
    this.#at = at;
  }

  async around<Result>(name: string, call: () => Promise<Result>): Promise<Result> {
    if (this.#dead || this.#at === `before ${name}`) this.#die();
    const result = await call();
    if (this.#at === `after ${name}`) this.#die();
    return result;
  }

  #die(): never {
    this.#dead = true;
    throw new Killed();
  }
}

/** A dead process takes no note of why it did not get on. */
export function notingUntilDead(killer: Killer, store: OutboxStore): OutboxStore {
  return { ...store, note: (...given) => killer.around("note", () => store.note(...given)) };
}

/** The same object with one of its members replaced. */
export function replaced<Of extends object, Key extends keyof Of>(
  of: Of,
  key: Key,
  by: Of[Key],
): Of {
  return withOwn(of, { [key]: by } as unknown as Partial<Of>);
}
