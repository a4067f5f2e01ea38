import { setTimeout as sleep } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/transport-node";
import { patientManager } from "../../harness/administrator.ts";
import { eventually } from "../../harness/deadline.ts";
import { diagnose } from "../harness/diagnosis.ts";
import type { Trial } from "../harness/trial.ts";
import { QUEUE } from "../programs/work.ts";

export interface RecoveryOptions {
  readonly leaseMs: number;
  /**
   * Told what is known when jobs still wait after a minute, which no fault explains; the recovery
   * is waited for nevertheless.
   */
  readonly onStall: (diagnosis: string) => void;
}

const PATIENCE_MS = 60_000;
const LAST_PATIENCE_MS = 240_000;

/**
 * Resolves when everything that was in the queue is gone from it, and whoever may still run some of
 * that has lost its lease.
 */
export async function recovered(
  trial: Trial,
  nc: NatsConnection,
  { leaseMs, onStall }: RecoveryOptions,
): Promise<void> {
  const stream = `${trial.namespace}-queue-${QUEUE}`;
  const state = async () => (await (await patientManager(nc)).streams.info(stream)).state;
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
    onStall(await diagnose(nc, stream, trial.ledger));
    await gone(LAST_PATIENCE_MS);
  }
  await sleep(2 * leaseMs);
}
