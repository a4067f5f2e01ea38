import type { BrokerStatus } from "@millrace/core";

/** How a relay is. */
export interface RelayHealth {
  /** The process is worth keeping: the relay goes round. */
  readonly live: boolean;
  /** It publishes what is committed: the server is connected, and the database has answered. */
  readonly ready: boolean;
  /** Why not, in words; empty where all is well. */
  readonly problems: readonly string[];
  readonly broker: BrokerStatus;
  /** Queues whose rows wait, and why. They hold up no other, and leave the relay ready. */
  readonly waiting: readonly { readonly queue: string; readonly reason: string }[];
}

/** What the relay last heard of its database. */
export type DatabaseState =
  | { readonly kind: "unasked" }
  | { readonly kind: "answered" }
  | { readonly kind: "failed"; readonly reason: string };

export interface RelayHealthInput {
  readonly stopped: boolean;
  readonly broker: BrokerStatus;
  readonly database: DatabaseState;
  /** How long ago it last began to look, published rows or failed. */
  readonly silentMs: number;
  readonly pollMs: number;
  readonly waiting: RelayHealth["waiting"];
}

/** Every request has a deadline of seconds, so a relay that does nothing for longer hangs. */
const SILENCE_MS = 120_000;

/**
 * What the probes answer. Pure. A server or a database that is away makes a relay unready, never
 * dead: restarting it would not help.
 */
export function relayHealth(input: RelayHealthInput): RelayHealth {
  const { stopped, broker, database, silentMs, pollMs, waiting } = input;
  const hangs = !stopped && silentMs > pollMs + SILENCE_MS;
  const problems = [
    ...(stopped ? ["the relay is stopped"] : []),
    ...(broker === "connected" ? [] : [`the broker is ${broker}`]),
    ...databaseProblems(database),
    ...(hangs ? [`the relay has done nothing for ${Math.round(silentMs / 1_000)} s`] : []),
  ];
  return { live: !stopped && !hangs, ready: problems.length === 0, problems, broker, waiting };
}

function databaseProblems(database: DatabaseState): readonly string[] {
  switch (database.kind) {
    case "answered":
      return [];
    case "unasked":
      return ["the outbox's database has not answered yet"];
    case "failed":
      return [database.reason];
  }
}
