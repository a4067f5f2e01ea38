import {
  type Broker,
  type Clock,
  formatMs,
  MAX_REASON,
  MillraceError,
  optionNames,
  refuseUnknown,
  requireText,
  type Stoppable,
  toMs,
} from "@millrace/core";
import type { Mask } from "@millrace/telemetry/masking";
import { beginAudit, completeAudit } from "../audit.ts";
import { LAST_STEP_MS, type WaitTime, waitWithin } from "../wait-within.ts";
import { whoAmI } from "../who-am-i.ts";
import {
  isOpen,
  type Operation,
  type OperationKind,
  shownOperation,
  type StoredOperation,
  auditOutcomeOf,
  withEnd,
} from "./operation.ts";
import { type PlanItem, plansOf, writePlan } from "./operation-plan.ts";
import { itemsOf, type OperationItem, plannedOf } from "./operation-items.ts";
import {
  getOperation,
  listOperations,
  operationsBucket,
  trimOperations,
} from "./operation-store.ts";
import { type Confirmed, requireConfirmed } from "./confirmed.ts";
import { endOfAnother } from "./end-of-another.ts";
import { runOperation } from "./run-operation.ts";
import { serveOperations, type ServeOperationsOptions } from "./serve-operations.ts";
import { type Meant, type OperationTarget, targetWords, whatIsMeant } from "./what-is-meant.ts";
import {
  alone,
  among,
  type CallLimits,
  callLimits,
  kept,
  LIMITS,
  type LimitsPlaces,
} from "../call-limits.ts";

/** Who asks for it and why. */
export interface OperationNote {
  /** Default: the user and the host of this process. */
  readonly by?: string;
  readonly reason?: string;
}

/** What is asked for, by whom and why. */
export type OperationRequest = OperationTarget & OperationNote & Confirmed;

/** What a count can't say by its number. */
export interface CountOptions {
  /**
   * Called where nodes did not answer, with how many: of what they have in hand some may be missing
   * in the count, or be taken for waiting.
   */
  readonly onUnanswered?: (nodes: number) => void;
}

/**
 * Changes of many things that go on when the process dies that began them: their state lies on the
 * server, and whoever serves operations takes up what another has left. See `docs/fleet.md`.
 */
export interface Operations {
  /** How many things are meant now. @throws as `start` */
  count(target: OperationTarget & CountOptions & CallLimits): Promise<number>;
  /**
   * Writes down what is to be done to which things, with a record in the audit. It is carried out
   * by whoever serves operations: a dashboard, `serve()`, `run()`. What comes to fit later is left
   * alone.
   *
   * @throws MillraceError `invalid-option` where more than 100,000 fit, or the filter can't be
   *   read; `more-than-confirmed`; `queue-not-found`
   * @example
   * const filter = { queue: "mail", error: "TimeoutError" };
   * const { id, total } = await millrace.operations.start({ kind: "dead-retry", filter });
   * await millrace.operations.run(id);
   */
  start(request: OperationRequest & CallLimits): Promise<Operation>;
  /** Newest first. Operations that ended are kept for 90 days, the latest 1,000 of them. */
  list(limits?: CallLimits): Promise<readonly Operation[]>;
  /** @throws MillraceError `operation-not-found` */
  get(id: string, limits?: CallLimits): Promise<Operation>;
  /**
   * What exactly was meant, and what became of each, in order.
   *
   * @throws MillraceError `operation-not-found`
   */
  items(id: string, limits?: CallLimits): Promise<readonly OperationItem[]>;
  /**
   * Lets it end early: the 20 things that have begun are finished, the rest stays as it is. One
   * that has ended stays as it ended.
   *
   * @throws MillraceError `operation-not-found`
   */
  stop(id: string, note?: { readonly by?: string } & CallLimits): Promise<Operation>;
  /**
   * Begins an operation that takes one back. Jobs that were given another time have their old one
   * again, where they still wait for the other. Discarded letters are there again. Jobs that were
   * cancelled while they waited are enqueued anew. Retried jobs that still wait are dead letters
   * again. What was kept for that is there for seven days. A job that has begun stays as it is, and
   * counts as failed (`undo-impossible`).
   *
   * @throws MillraceError `operation-not-found`; `invalid-option` where it is of another kind, or
   *   has not ended
   * @example
   * const { id } = await millrace.operations.undo(mistake.id);
   * await millrace.operations.run(id);
   */
  undo(id: string, note?: OperationNote & CallLimits): Promise<Operation>;
  /**
   * Carries it out here, or waits until whoever is at it has ended it or died.
   *
   * @param options.signal ends the waiting and leaves the rest to others, as `timeout` does
   * @throws MillraceError `operation-not-found`, and of a server that is away: it can be run again;
   *   the signal's reason or `request-timeout` where the server does not answer
   */
  run(id: string, options?: CallLimits): Promise<Operation>;
  /** Carries out whatever nobody carries out, until it is stopped. */
  serve(options?: ServeOperationsOptions): Promise<Stoppable>;
}

const TIMED_NAMES = optionNames<
  Extract<OperationRequest, { kind: "jobs-reschedule" }> & CallLimits
>({
  ...{ kind: true, filter: true, by: true, reason: true, delay: true, at: true },
  ...{ atMost: true, ...LIMITS },
});
const REQUEST_NAMES = optionNames<
  Exclude<OperationRequest, { kind: "jobs-reschedule" }> & CallLimits
>({
  ...{ kind: true, filter: true, by: true, reason: true, atMost: true, ...LIMITS },
});
const NOTE_NAMES = optionNames<OperationNote & CallLimits>({ by: true, reason: true, ...LIMITS });
const STOP_NAMES = optionNames<NonNullable<Parameters<Operations["stop"]>[1]>>({
  ...{ by: true, ...LIMITS },
});
const SERVE_NAMES = optionNames<ServeOperationsOptions>({ onDefect: true, signal: true });
export const OPERATIONS_LIMITS: LimitsPlaces<Omit<Operations, "serve">> = {
  ...{ count: among(0), start: among(0), list: alone(0), get: alone(1), items: alone(1) },
  ...{ stop: among(1), undo: among(1), run: kept(1) },
};

export function operationsOf(broker: Broker, clock: Clock, mask: Mask): Operations {
  const get = async (id: string): Promise<Operation> =>
    shownOperation((await getOperation(await operationsBucket(broker), id)).operation);
  return {
    async count(target) {
      refuseUnknown(target, countNamesOf(target), "operations.count()");
      const { onUnanswered } = target;
      const { items, unanswered } = await whatIsMeant(broker, target, clock.now(), mask);
      if (unanswered !== undefined) onUnanswered?.(unanswered);
      return items.length;
    },
    async start(request) {
      refuseUnknown(request, namesOf(request), "operations.start()");
      const now = clock.now();
      const meant = await whatIsMeant(broker, request, now, mask);
      requireConfirmed(meant.items.length, request);
      return begin(broker, request, targetWords(request, now), meant);
    },
    list: async () => (await listOperations(await operationsBucket(broker))).map(shownOperation),
    get,
    items: (id) => itemsOf(broker, id),
    async stop(id, note = {}) {
      refuseUnknown(note, STOP_NAMES, "operations.stop()");
      const { by = whoAmI(), signal = new AbortController().signal } = note;
      await askToStop(broker, id, by);
      // Where nobody is at it, somebody has to say that it has ended.
      const end = await runOperation({ broker, clock }, id, signal);
      if (end === "held") await endUnbegun(broker, id);
      return get(id);
    },
    async undo(id, note = {}) {
      refuseUnknown(note, NOTE_NAMES, "operations.undo()");
      // What none undoes undoes nothing, and would be found as the undo of that.
      const open = await openUndo(broker, requireText(id, "id"));
      if (open !== undefined) return open;
      const { kind, items } = await wayBack(broker, id);
      return begin(broker, { ...note, kind }, { undoes: id }, { items });
    },
    async run(id, options = {}) {
      const { timeout, signal } = callLimits(options, "operations.run()");
      const time = timeout === undefined ? undefined : runTime(id, toMs(timeout, "timeout"));
      return waitWithin({ clock, signal, time, graceMs: LAST_STEP_MS }, async (over) => {
        for (;;) {
          const end = await runOperation({ broker, clock }, id, over);
          const operation = await get(id);
          if (end !== "held" || !isOpen(operation) || over.aborted) return operation;
          await endOfAnother(broker, id, clock);
        }
      });
    },
    async serve(options = {}) {
      refuseUnknown(options, SERVE_NAMES, "operations.serve()");
      return serveOperations({ broker, clock }, options);
    },
  };
}

function runTime(id: string, ms: number): WaitTime {
  const late = `The operation ${id} was not carried out within ${formatMs(ms)}, and the server did not say how far it is. Run it again, or ask: \`millrace operations get ${id}\`.`;
  return { ms, tooLate: () => new MillraceError("request-timeout", late) };
}

/** From JavaScript the target may be anything, and what is none is refused with its names. */
function namesOf(target: Partial<Pick<OperationTarget, "kind">> | undefined): ReadonlySet<string> {
  return target?.kind === "jobs-reschedule" ? TIMED_NAMES : REQUEST_NAMES;
}

/** A request may be counted before it is started. */
function countNamesOf(target: Parameters<typeof namesOf>[0]): ReadonlySet<string> {
  return new Set([...namesOf(target), "onUnanswered"]);
}

/**
 * @param words which things are meant, for the audit
 */
async function begin(
  broker: Broker,
  { kind, by = whoAmI(), reason }: OperationNote & Pick<Operation, "kind">,
  words: Operation["filter"],
  { items, unanswered }: Meant,
): Promise<Operation> {
  await trimOperations(broker);
  const why = reason === undefined ? {} : { reason: reason.slice(0, MAX_REASON) };
  const { id, at } = await beginAudit(broker, {
    ...{ action: kind.replace("-", " "), filter: words, by, ...why },
  });
  await writePlan(await plansOf(broker), id, items);
  const operation: StoredOperation = {
    ...{ id, kind, filter: words, by, ...why, at, total: items.length },
    ...{ done: 0, gone: 0, failed: 0, failures: [], progress: { state: "running" } },
    ...{ token: 0, position: 0, begun: 0, exceptions: {} },
    ...(unanswered === undefined ? {} : { unanswered }),
  };
  await (await operationsBucket(broker)).put(id, operation, 0);
  return shownOperation(operation);
}

const UNDO_KINDS = {
  "jobs-reschedule": "jobs-reschedule",
  "dead-retry": "retry-undo",
  "dead-discard": "discard-undo",
  "jobs-cancel": "cancel-undo",
} as const satisfies Partial<Record<OperationKind, OperationKind>>;

function isUndone(kind: OperationKind): kind is keyof typeof UNDO_KINDS {
  return Object.hasOwn(UNDO_KINDS, kind);
}

/** If an operation is being taken back already, the caller gets the undo that does it. */
async function openUndo(broker: Broker, id: string): Promise<Operation | undefined> {
  const all = await listOperations(await operationsBucket(broker));
  const found = all.find((one) => isOpen(one) && one.filter["undoes"] === id);
  return found && shownOperation(found);
}

/** What takes back those that it has changed. */
async function wayBack(
  broker: Broker,
  id: string,
): Promise<{ readonly kind: OperationKind; readonly items: readonly PlanItem[] }> {
  const { operation } = await getOperation(await operationsBucket(broker), id);
  const { kind } = operation;
  if (!isUndone(kind))
    throw new MillraceError(
      "invalid-option",
      `The operation ${id} (${kind}) can't be undone: it takes another one back. Ask for that one's change again.`,
    );
  if (isOpen(operation))
    throw new MillraceError(
      "invalid-option",
      `The operation ${id} has not ended. Stop it first: \`millrace operations stop ${id}\`.`,
    );
  const planned = await plannedOf(broker, operation);
  const items = planned.flatMap(({ item: { mark, to, ...which }, outcome }, place) => {
    if (outcome !== "done") return [];
    if (kind !== "jobs-reschedule") return [{ ...which, mark: place }];
    return mark === undefined || to === undefined ? [] : [{ ...which, mark: to, to: mark }];
  });
  return { kind: UNDO_KINDS[kind], items };
}

/**
 * An undo that waits for another of the same operation: nobody is at it, perhaps for long. A
 * process that begins with it at this moment finds nothing to do.
 */
async function endUnbegun(broker: Broker, id: string): Promise<void> {
  const store = await operationsBucket(broker);
  for (;;) {
    const { operation, revision } = await getOperation(store, id);
    const { token, begun, progress } = operation;
    if (token !== 0 || begun !== 0 || progress.state !== "stopping") return;
    try {
      const ended = withEnd(operation, await store.now());
      // The audit first: what has ended nobody takes up again.
      await completeAudit(broker, id, auditOutcomeOf(ended));
      await store.put(id, ended, revision);
      return;
    } catch (error) {
      if (!MillraceError.is(error, "revision-conflict")) throw error;
    }
  }
}

async function askToStop(broker: Broker, id: string, by: string): Promise<void> {
  const store = await operationsBucket(broker);
  for (;;) {
    const { operation, revision } = await getOperation(store, id);
    if (operation.progress.state !== "running") return;
    const at = await store.now();
    try {
      await store.put(id, { ...operation, progress: { state: "stopping", by, at } }, revision);
      return;
    } catch (error) {
      // The process that carries it out has written how far it is.
      if (!MillraceError.is(error, "revision-conflict")) throw error;
    }
  }
}
