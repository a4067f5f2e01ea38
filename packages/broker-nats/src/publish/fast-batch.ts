import type { Parcel } from "../exchange/parcel.ts";
import type { PubAck } from "./pub-ack.ts";

/** What a message of a batch is to it. */
export const OPERATION = { start: 0, append: 1, commit: 2, end: 3 } as const;

export type Operation = (typeof OPERATION)[keyof typeof OPERATION];

/** One batch on its way: its messages in their order, until each has its answer. */
export class FastBatch {
  readonly token: string;
  /** When it was begun. */
  readonly tick: number;
  readonly #parcels: (Parcel<PubAck> | undefined)[] = [];
  /** Up to here none is left. */
  #settled = 0;
  #subject = "";

  constructor(token: string, tick: number) {
    this.token = token;
    this.tick = tick;
  }

  get length(): number {
    return this.#parcels.length;
  }

  /** One that its stream takes. */
  get subject(): string {
    return this.#subject;
  }

  /** @returns its place, from 1 */
  add(parcel: Parcel<PubAck>): number {
    this.#subject ||= parcel.subject;
    return this.#parcels.push(parcel);
  }

  /** The newest went nowhere. */
  withdraw(): void {
    this.#parcels.pop();
  }

  /** @returns undefined where it has its answer */
  take(place: number): Parcel<PubAck> | undefined {
    const parcel = this.#parcels[place - 1];
    if (parcel !== undefined) this.#parcels[place - 1] = undefined;
    return parcel;
  }

  /** Those up to this place that have no answer. */
  takeUpTo(place: number): Parcel<PubAck>[] {
    const taken: Parcel<PubAck>[] = [];
    const end = Math.min(place, this.#parcels.length);
    for (; this.#settled < end; this.#settled += 1) {
      const parcel = this.take(this.#settled + 1);
      if (parcel !== undefined) taken.push(parcel);
    }
    return taken;
  }
}
