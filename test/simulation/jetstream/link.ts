import type { Clock } from "@millrace/core";
import type { Packet } from "./packet.ts";

type Direction = "up" | "down";

interface Crossing {
  readonly direction: Direction;
  readonly arrive: () => void;
}

export interface Crossed {
  readonly delayMs: number;
  readonly isLost?: boolean;
  /** Right after it has arrived. */
  readonly onArrival?: () => void;
}

export interface LinkOptions {
  /** The world's own, which no freeze of a process stops. */
  readonly clock: Clock;
  /**
   * What becomes of the next crossing. `packet`: what a client publishes; undefined for all else.
   */
  readonly passage: (direction: Direction, packet: Packet | undefined) => Crossed;
  /** Brings something into the client's process, which may be frozen or dead. */
  readonly enter?: (arrive: () => void) => void;
}

/**
 * What lies between a client and its server. Everything arrives in the order in which it was sent,
 * or not at all. A link that is held delivers nothing and loses nothing, until it is let go or one
 * of its ends gives up.
 */
export class Link {
  readonly #options: LinkOptions;
  /** A connection's number: what was sent on an earlier one arrives nowhere. */
  #connection = 0;
  #lastArrivalMs: Record<Direction, number> = { up: 0, down: 0 };
  #held: Crossing[] | undefined;
  #refusing = false;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** Whether a new connection can be made over it. */
  get isOpen(): boolean {
    return this.#held === undefined && !this.#refusing;
  }

  send(direction: Direction, arrive: () => void, packet?: Packet): void {
    const { clock, passage } = this.#options;
    const connection = this.#connection;
    const { delayMs, isLost = false, onArrival } = passage(direction, packet);
    if (isLost) return;
    const nowMs = clock.monotonic();
    const atMs = Math.max(this.#lastArrivalMs[direction], nowMs + delayMs);
    this.#lastArrivalMs[direction] = atMs;
    const whole = (): void => {
      arrive();
      onArrival?.();
    };
    clock.setTimer(atMs - nowMs, () => this.#arrive({ direction, arrive: whole }, connection));
  }

  /** Both ends have lost each other: what is on its way is lost. */
  cut(): void {
    this.#connection += 1;
    this.#lastArrivalMs = { up: 0, down: 0 };
    if (this.#held !== undefined) this.#held = [];
  }

  /** Nothing arrives, in either direction. */
  hold(): void {
    this.#held ??= [];
  }

  letGo(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const crossing of held) this.send(crossing.direction, crossing.arrive);
  }

  /** No new connection is made over it. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing;
  }

  #arrive(crossing: Crossing, connection: number): void {
    if (connection !== this.#connection) return;
    if (this.#held !== undefined) return void this.#held.push(crossing);
    if (crossing.direction === "up") return crossing.arrive();
    const enter = this.#options.enter ?? ((arrive: () => void): void => arrive());
    enter(() => {
      if (connection === this.#connection) crossing.arrive();
    });
  }
}
