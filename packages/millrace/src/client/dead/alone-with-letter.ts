import {
  type Broker,
  type Clock,
  type JobRef,
  MillraceError,
  type RunRef,
  silentLogger,
} from "@millrace/core";
import { takeLock } from "@millrace/runtime";
import { hostname } from "node:os";

export interface LetterHost {
  readonly broker: Broker;
  readonly clock: Clock;
}

const LEASE_MS = 10_000;
/** Longer than the lease: of one who died with it the next has it then. */
const WAIT_MS = 15_000;

/**
 * Acts on a dead job while nobody else does, where it has steps on record. A retry publishes before
 * it removes the letter, so its removal decides nothing between a retry and a discard: the one
 * would begin a new life, and the other forget the steps that this is to go on behind.
 *
 * @param act is given what to ask right before the publish; that throws where another may be at it
 * @throws MillraceError `lock-busy`, and what the broker says
 */
export async function aloneIfSteps<T>(
  host: LetterHost,
  { id, queue, createdAt }: RunRef,
  act: (requireAlone: () => void) => Promise<T>,
): Promise<T> {
  const steps = await host.broker.journal.read({ id, queue, createdAt });
  return steps.length === 0 ? act(() => {}) : alone(host, { id, queue }, act);
}

/** The same where it is known to have steps. */
export async function alone<T>(
  { broker, clock }: LetterHost,
  { id, queue }: JobRef,
  act: (requireAlone: () => void) => Promise<T>,
): Promise<T> {
  const lease = await takeLock(
    { locks: broker.locks, clock, log: silentLogger, random: Math.random },
    {
      name: `letter/${queue}/${id}`,
      holder: `${hostname()}:${process.pid}`,
      leaseMs: LEASE_MS,
      waitMs: WAIT_MS,
    },
  );
  if (lease === undefined) throw busy(id, queue);
  try {
    return await act(() => {
      if (!lease.isHeld()) throw busy(id, queue);
    });
  } finally {
    await lease.release();
  }
}

function busy(id: string, queue: string): MillraceError {
  return new MillraceError(
    "lock-busy",
    `Another process is about to retry or discard the dead letter of ${id} in queue ${queue}. Look at what became of it, and try again.`,
  );
}
