import type { InFlightRequest } from "../requests/in-flight-request.ts";
import type { PubAck } from "./pub-ack.ts";

/** What a message of a batch is to it. */
export const OPERATION = { start: 0, append: 1, commit: 2, end: 3, ping: 4 } as const;

export type Operation = (typeof OPERATION)[keyof typeof OPERATION];

/** One batch on its way: its messages in their order, until each has its answer. */
export class FastBatch {
  readonly token: string;
  /** When it was begun. */
  readonly tick: number;
  readonly #requests: (InFlightRequest<PubAck> | undefined)[] = [];
  /** Up to here none is left. */
  #settled = 0;
  #subject = "";

  constructor(token: string, tick: number) {
    this.token = token;
    this.tick = tick;
  }

  get length(): number {
    return this.#requests.length;
  }

  /** One that its stream takes. */
  get subject(): string {
    return this.#subject;
  }

  /** @returns its place, from 1 */
  add(request: InFlightRequest<PubAck>): number {
    this.#subject ||= request.subject;
    return this.#requests.push(request);
  }

  /** The newest went nowhere. */
  withdraw(): void {
    this.#requests.pop();
  }

  /** @returns undefined where it has its answer */
  take(place: number): InFlightRequest<PubAck> | undefined {
    const request = this.#requests[place - 1];
    if (request !== undefined) this.#requests[place - 1] = undefined;
    return request;
  }

  /** Those up to this place that have no answer. */
  takeUpTo(place: number): InFlightRequest<PubAck>[] {
    const taken: InFlightRequest<PubAck>[] = [];
    const end = Math.min(place, this.#requests.length);
    for (; this.#settled < end; this.#settled += 1) {
      const request = this.take(this.#settled + 1);
      if (request !== undefined) taken.push(request);
    }
    return taken;
  }
}
