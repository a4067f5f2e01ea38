import { setTimeout as sleep } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { eventually } from "../../harness/deadline.ts";
import type { Trial } from "../harness/trial.ts";
import { ledgerNowMs } from "../oracle/ledger-entry.ts";
import { QUEUE } from "../programs/work.ts";

export interface RecoveryOptions {
  readonly leaseMs: number;
  /** Told what is known when jobs still wait after a minute, which no fault explains; the recovery is waited for nevertheless. */
  readonly onStall: (diagnosis: string) => void;
}

const PATIENCE_MS = 60_000;
const LAST_PATIENCE_MS = 240_000;

/** Resolves when everything that was in the queue is gone from it, and whoever may still run some of that has lost its lease. */
export async function recovered(
  trial: Trial,
  nc: NatsConnection,
  { leaseMs, onStall }: RecoveryOptions,
): Promise<void> {
  const stream = `${trial.namespace}-queue-${QUEUE}`;
  const state = async () => (await (await jetstreamManager(nc)).streams.info(stream)).state;
  const { last_seq: last } = await eventually(state, {
    withinMs: PATIENCE_MS,
    describe: "the server answers",
  });
  const gone = (withinMs: number): Promise<boolean> =>
    eventually(async () => (await state()).first_seq > last, {
      withinMs,
      everyMs: 50,
      describe: "the jobs that arrived during the faults have been run",
    });
  try {
    await gone(PATIENCE_MS);
  } catch {
    onStall(await diagnose(trial, nc, stream));
    await gone(LAST_PATIENCE_MS);
  }
  await sleep(2 * leaseMs);
}

/** The oldest job that did not go, all that the ledger knows of it, and how much each consumer has given away. */
async function diagnose(trial: Trial, nc: NatsConnection, stream: string): Promise<string> {
  const jsm = await jetstreamManager(nc);
  const { state } = await jsm.streams.info(stream);
  const message = await jsm.streams.getMessage(stream, { seq: state.first_seq });
  const consumers: string[] = [];
  for await (const info of jsm.consumers.list(stream))
    consumers.push(
      `${info.name}: ${info.num_ack_pending} unacked, ${info.num_pending} undelivered, ${info.num_redelivered} redelivered, ${info.num_waiting} pulls, floor ${info.ack_floor.stream_seq}`,
    );
  const id = message?.header.get("Nats-Msg-Id") ?? "";
  const entries = trial.ledger.filter((entry) => id === entry.id || id.startsWith(`${entry.id}:`));
  return [
    `sequences ${state.first_seq} to ${state.last_seq}, ${state.messages} messages`,
    ...consumers,
    `the first: ${message?.subject} ${message?.header.toString()}`,
    ...entries.map((entry) => JSON.stringify(entry)),
    `now ${ledgerNowMs()}`,
  ].join("\n");
}
