import {
  type Broker,
  type Envelope,
  type HistoryRecord,
  type JobRef,
  type Lease,
  type QueueMessage,
  type Settlement,
  type SettlementStep,
} from "@millrace/core";

/** What was settled, and how. */
export interface Settled {
  /** As it was delivered. */
  readonly envelope: Envelope;
  readonly message: QueueMessage;
  readonly settlement: Settlement;
  /** Under which it is settled: what a hook publishes must not go out once it is lost. */
  readonly lease: Lease;
  /** Carries out steps of a hook's own, before the ack. */
  readonly alsoSettle: (steps: readonly SettlementStep[]) => Promise<void>;
  /** Of a recalled job: what an earlier holder had recorded before it could ack. */
  readonly recorded: Pick<HistoryRecord, "state"> | undefined;
}

/**
 * Something that has to follow a settlement of whatever kind, also of a job that never ran. A crash
 * may come before, between and after: a recalled job passes here again, so both must be idempotent.
 */
export interface SettlementHook {
  /** Asked for every settlement, so it must be cheap. */
  concerns(envelope: Envelope, settlement: Settlement): boolean;
  /**
   * What it does is done by others too, only later: where it fails for a lease, the job is settled
   * without it.
   */
  readonly canBeSpared?: boolean;
  /**
   * Nothing of it is carried out, so nobody has heard of it. Asked again where it is tried again.
   * Rejecting is logged and nothing more.
   */
  readonly before?: (settled: Settled) => Promise<void>;
  /**
   * Everything else is confirmed, the ack is not sent. Rejecting is trouble: the settlement is
   * repeated while the lease is held.
   */
  readonly beforeAck?: (settled: Settled) => Promise<void>;
  /** The ack is sent. Rejecting is logged and nothing more. */
  readonly afterAck?: (settled: Settled) => Promise<void>;
}

const NO_HOOKS: readonly SettlementHook[] = [];

export function hooksFor(
  hooks: readonly SettlementHook[],
  envelope: Envelope,
  settlement: Settlement,
): readonly SettlementHook[] {
  let found: SettlementHook[] | undefined;
  for (const hook of hooks) if (hook.concerns(envelope, settlement)) (found ??= []).push(hook);
  return found ?? NO_HOOKS;
}

/**
 * The end that is being settled, whether or not the history has taken it; of a recalled job the one
 * that an earlier holder has recorded.
 */
export async function recordedEnd(
  { history }: Pick<Broker, "history">,
  { envelope, settlement }: Settled,
): Promise<HistoryRecord | undefined> {
  for (const step of settlement.steps)
    if (step.do === "record" && isOf(envelope, step.record)) return step.record;
  if (settlement.unrecorded !== undefined) return settlement.unrecorded;
  return (await history.last(envelope, "ended"))?.record;
}

/** A job that was to follow this one and could not be enqueued has a record beside this one's. */
export function isOf({ id, queue }: JobRef, record: JobRef): boolean {
  return record.id === id && record.queue === queue;
}
