import { randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "@millrace/core";
import { systemClock } from "@millrace/core/basics";
import type { NatsConnection } from "@nats-io/nats-core";

/**
 * What a broker takes from the machine it runs on. A simulation gives each of its nodes one of its
 * own.
 */
export interface Machine {
  readonly clock: Clock;
  /** From 0 to below 1, as `Math.random`. */
  readonly random: () => number;
  /** A name that nobody else makes. */
  readonly newId: () => string;
  /** The same, as short as a subject's token should be, and nobody can foresee it. */
  readonly newToken: () => string;
}

export const systemMachine: Machine = {
  clock: systemClock,
  random: Math.random,
  newId: randomUUID,
  newToken: () => randomBytes(12).toString("base64url"),
};

/** Kept with the connection, which whoever needs a clock here has anyway. */
const machines = new WeakMap<NatsConnection, Machine>();

/** Before anything is made on the connection. */
export function setMachine(nc: NatsConnection, machine: Machine): void {
  machines.set(nc, machine);
}

/** The system's, unless another was set. Look it up once, not for each message. */
export function machineOf(nc: NatsConnection): Machine {
  return machines.get(nc) ?? systemMachine;
}
