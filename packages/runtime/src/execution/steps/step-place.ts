import { effectsOf, type Envelope, type StepRef } from "@millrace/core";

/** Steps of one name are told apart by the order in which the handler asks for them. */
export class StepPlaces {
  readonly #asked = new Map<string, number>();

  next(name: string): StepRef {
    const n = this.#asked.get(name) ?? 0;
    this.#asked.set(name, n + 1);
    return { name, n };
  }
}

/** As a map's key. */
export function placeOf({ name, n }: StepRef): string {
  return `${n} ${name}`;
}

/** For people: `"charge"`, and of later ones of its name `"charge" (number 3)`. */
export function shownStep({ name, n }: StepRef): string {
  return n === 0 ? JSON.stringify(name) : `${JSON.stringify(name)} (number ${n + 1})`;
}

/** What a step hands on as its idempotency key: the same in every run of its job. */
export function keyOf(envelope: Envelope, { name, n }: StepRef): string {
  const { queue, id } = envelope;
  return `${queue}/${id}/${effectsOf(envelope)}/${name}/${n}`;
}

/**
 * Where an answer stands among those of its run: the revision of its record; and of a failure
 * that was told before it was on record, the revision after which it was told, and which of those
 * it was.
 */
export interface Rank {
  readonly revision: number;
  readonly nth: number;
}

export function isBefore(one: Rank, other: Rank): boolean {
  return one.revision < other.revision || (one.revision === other.revision && one.nth < other.nth);
}
