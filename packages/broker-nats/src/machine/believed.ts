import type { NatsConnection } from "@nats-io/nats-core";
import { machineOf } from "./machine.ts";

const BELIEVED_MS = 60_000;

/** What was learnt of the server, which an operator may change: each name is believed a minute. */
export class Believed {
  readonly #nc: NatsConnection;
  readonly #until = new Map<string, number>();

  constructor(nc: NatsConnection) {
    this.#nc = nc;
  }

  has(name: string): boolean {
    return (this.#until.get(name) ?? 0) > machineOf(this.#nc).clock.monotonic();
  }

  add(name: string): void {
    this.#until.set(name, machineOf(this.#nc).clock.monotonic() + BELIEVED_MS);
  }
}
