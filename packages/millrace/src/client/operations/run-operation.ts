import { hostname } from "node:os";
import {
  type Broker,
  type Clock,
  type DocumentStore,
  MillraceError,
  silentLogger,
} from "@millrace/core";
import { maskText } from "@millrace/telemetry/masking";
import { type HeldLease, takeLock } from "@millrace/runtime";
import { completeAudit } from "../audit.ts";
import { type Act, isFull } from "./act.ts";
import { actOf } from "./acts.ts";
import {
  hasMore,
  isOpen,
  type StoredOperation,
  withBegun,
  auditOutcomeOf,
  withEnd,
  withOutcome,
} from "./operation.ts";
import { PAGE_ITEMS, type PlanPage, plansOf, readPage, settlePage } from "./operation-plan.ts";
import { getOperation, operationsBucket, type Placed, writeOperation } from "./operation-store.ts";

/** How soon another takes up what a process left that died. */
const LEASE_MS = 15_000;
/** So many things are begun at a time: as many are in doubt when the process dies. */
const STEP_ITEMS = 20;

export interface OperationHost {
  readonly broker: Broker;
  readonly clock: Clock;
}

/** `held`: another process is at it. `interrupted`: by the signal; another can go on. */
export type RunEnd = "ended" | "held" | "interrupted";

/**
 * Goes on with an operation under its lock until it has ended. Nothing doubtful is done twice: a
 * retried job is looked for before it is published again.
 *
 * @throws MillraceError `operation-not-found`; `lock-lost`; of a server that is away. Calling again
 *   is safe
 */
export async function runOperation(
  { broker, clock }: OperationHost,
  id: string,
  signal: AbortSignal,
): Promise<RunEnd> {
  if (signal.aborted) return "interrupted";
  const store = await operationsBucket(broker);
  const { undoes } = (await getOperation(store, id)).operation.filter;
  const lease = await takeLock(
    { locks: broker.locks, clock, log: silentLogger, random: Math.random },
    {
      // If two take the same one back, one waits for the other.
      name: `operation/${typeof undoes === "string" ? undoes : id}`,
      holder: `${hostname()}:${process.pid}`,
      leaseMs: LEASE_MS,
      waitMs: 0,
    },
  );
  if (lease === undefined) return "held";
  try {
    const plans = await plansOf(broker);
    const run = new OperationRun({ broker, clock }, { store, plans }, lease);
    return await run.until(id, signal);
  } finally {
    await lease.release();
  }
}

class OperationRun {
  readonly #host: OperationHost;
  readonly #store: DocumentStore;
  readonly #plans: DocumentStore;
  readonly #lease: HeldLease;
  /** With the outcomes of the step that is carried out. */
  #known: StoredOperation | undefined;
  #page: { readonly index: number; readonly plan: PlanPage } | undefined;

  constructor(
    host: OperationHost,
    { store, plans }: { readonly store: DocumentStore; readonly plans: DocumentStore },
    lease: HeldLease,
  ) {
    this.#host = host;
    this.#store = store;
    this.#plans = plans;
    this.#lease = lease;
  }

  async until(id: string, signal: AbortSignal): Promise<RunEnd> {
    const found = await getOperation(this.#store, id);
    if (!isOpen(found.operation)) return "ended";
    const { token } = this.#lease;
    let placed = await this.#write({ ...found, operation: { ...found.operation, token } });
    try {
      const act = await actOf(this.#host.broker, this.#host.clock, placed.operation);
      while (hasMore(placed.operation)) {
        if (signal.aborted) return "interrupted";
        placed = await this.#step(placed, act);
        // Until here nothing else tells what became of the step.
        this.#known = undefined;
      }
    } catch (error) {
      const full = isFull(error);
      if (MillraceError.is(error) && error.code !== "operation-not-found" && !full) throw error;
      const failing = this.#fail(placed, error);
      // Where there is no room for the end either, what it met first says more.
      await (full ? failing.catch(() => undefined) : failing);
      throw error;
    }
    await this.#end(placed);
    return "ended";
  }

  /** Says what is begun, does it, and keeps what became of it for the next write. */
  async #step(before: Placed, act: Act): Promise<Placed> {
    const { position, begun, total } = before.operation;
    const index = Math.floor(position / PAGE_ITEMS);
    const { items } = await this.#pageAt(before.operation.id, index);
    const inDoubt = begun > position;
    const until = Math.min(
      ...[total, (index + 1) * PAGE_ITEMS, inDoubt ? begun : position + STEP_ITEMS],
    );
    let placed = inDoubt
      ? before
      : await this.#write({ ...before, operation: withBegun(before.operation, until) });
    // The stop came while the step before was carried out: nothing of this one was begun.
    if (!inDoubt && placed.operation.progress.state !== "running")
      return { ...placed, operation: { ...placed.operation, begun: position } };
    const meant = items.slice(position % PAGE_ITEMS, until - index * PAGE_ITEMS);
    this.#requireHeld();
    let { operation } = placed;
    let place = position % PAGE_ITEMS;
    const requireHeld = (): void => this.#requireHeld();
    await act({ items: meant, from: position, inDoubt, requireHeld }, (outcome) => {
      const item = items[place];
      if (item === undefined) throw new RangeError(`The plan has no thing ${place}.`);
      this.#known = operation = withOutcome(operation, item, outcome, place);
      place += 1;
      this.#requireHeld();
    });
    placed = { ...placed, operation };
    if (operation.position % PAGE_ITEMS !== 0 && operation.position < total) return placed;
    const { exceptions } = operation;
    await settlePage(this.#plans, operation.id, index, { items, exceptions });
    return this.#write({ ...placed, operation: { ...operation, exceptions: {} } });
  }

  async #pageAt(id: string, index: number): Promise<PlanPage> {
    if (this.#page?.index !== index)
      this.#page = { index, plan: await readPage(this.#plans, id, index) };
    return this.#page.plan;
  }

  /** The audit first: what has ended nobody takes up again. */
  async #end(placed: Placed): Promise<void> {
    const operation = withEnd(placed.operation, await this.#store.now());
    await completeAudit(this.#host.broker, operation.id, auditOutcomeOf(operation));
    await this.#write({ ...placed, operation });
  }

  /** A defect, or a full server, would meet whoever takes it up again, too. */
  async #fail(placed: Placed, error: unknown): Promise<void> {
    const code = MillraceError.is(error) ? error.code : "internal";
    // What became of the first things of a step, before one of them met the defect.
    const known = this.#known ?? placed.operation;
    const { id } = known;
    const why = isFull(error)
      ? maskText(error.message).slice(0, 300)
      : "The operation met a defect.";
    const message = `${why} What is left of it stays as it is.`;
    await completeAudit(this.#host.broker, id, { state: "failed", code, message });
    const at = await this.#store.now();
    await this.#write({
      ...placed,
      operation: { ...known, progress: { state: "failed", at, code } },
    });
  }

  #write(placed: Placed): Promise<Placed> {
    this.#requireHeld();
    return writeOperation(this.#store, placed);
  }

  #requireHeld(): void {
    if (!this.#lease.isHeld())
      throw new MillraceError("lock-lost", `The lock ${this.#lease.name} was lost.`);
  }
}
