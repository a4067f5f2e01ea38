import { randomBytes } from "node:crypto";
import {
  type AuditCounts,
  type AuditOutcome,
  type Broker,
  type DocumentStore,
  MillraceError,
  mustBe,
  optionNames,
  recordError,
  refuseUnknown,
  requireFunction,
  requireLimit,
  requireText,
} from "@millrace/core";
import type { Mask } from "@millrace/telemetry/masking";
import { whoAmI } from "./who-am-i.ts";
import { among, type CallLimits, LIMITS, type LimitsPlaces } from "./call-limits.ts";

/** What an operator is about to do. */
export interface AuditIntent {
  /** What is done, as the command names it: `dead retry`, `queues purge`. */
  readonly action: string;
  /** Which things were meant: a queue, ids, a reason. Never payloads, never secrets. */
  readonly filter: Readonly<Record<string, AuditValue>>;
  /** Default: the user and the host of this process. */
  readonly by?: string;
  /** Why, in the operator's words. */
  readonly reason?: string;
}

/** What a record of an operator's change may hold: what was asked for, by name. */
export type AuditValue = string | number | boolean | readonly string[];

/** That an operator changed something, kept for those who ask later. */
export type AuditRecord = Required<Pick<AuditIntent, "action" | "filter" | "by">> &
  Pick<AuditIntent, "reason"> & {
    readonly id: string;
    /** When it began, epoch milliseconds by the server's clock. */
    readonly at: number;
    readonly outcome: AuditOutcome;
  };

/** Which records of the audit to read. */
export interface AuditQuery extends CallLimits {
  /** Default 100; `Infinity`: all. */
  readonly limit?: number;
  /** Begins so: `dead` fits `dead retry` and `dead discard`. */
  readonly action?: string;
  /** Epoch milliseconds. */
  readonly since?: number;
}

/** How much a change did. It completes the record of it. */
export interface AuditTally {
  /** How many things were changed. */
  readonly count: number;
  /** How many could not be. Default 0. */
  readonly failed?: number;
}

/** What operators changed, and the way to leave a record of a change of one's own tool. */
export interface Audit {
  /** Newest first. */
  list(query?: AuditQuery): Promise<readonly AuditRecord[]>;
  /**
   * Does something an operator asked for, with a record of it: written before (where it can't be,
   * nothing is done), and completed after with how many things were changed, or with the error.
   *
   * @param intent its `by` is who asked for it. Default: the user and the host of this process. Its
   *   limits end the call; what `act` has begun goes on, and what has not does not begin
   * @param tally how many things the result says were changed. Default: one
   * @throws what `act` throws; MillraceError of the record's write
   * @example
   * const intent = { action: "queues pause", filter: { queue: "mail" }, by: "ada" };
   * await millrace.audit.perform(intent, () => millrace.queues.pause("mail", { by: "ada" }));
   */
  perform<Result>(
    intent: AuditIntent & CallLimits,
    act: () => Promise<Result>,
    tally?: (result: Result) => AuditTally,
  ): Promise<Result>;
}

const QUERY_NAMES = optionNames<AuditQuery>({
  ...{ limit: true, action: true, since: true, ...LIMITS },
});
const INTENT_NAMES = optionNames<AuditIntent & CallLimits>({
  ...{ action: true, filter: true, by: true, reason: true, ...LIMITS },
});
export const AUDIT_LIMITS: LimitsPlaces<Audit> = { list: among(0), perform: among(0) };

/** Where records of changes are kept, and what hides secrets in the errors of those that failed. */
export interface AuditHost {
  readonly broker: Broker;
  readonly mask: Mask;
}

export function auditOf(host: AuditHost): Audit {
  return {
    list: async (query = {}) => {
      refuseUnknown(query, QUERY_NAMES, "audit.list()");
      return listAudit(host.broker, query);
    },
    perform: async (intent, act, tally = () => ({ count: 1 })) => {
      refuseUnknown(intent, INTENT_NAMES, "audit.perform()");
      requireText(intent.action, "action");
      requireWords(intent.filter);
      requireFunction(act, "act");
      requireFunction(tally, "tally");
      const { signal } = intent;
      const begun = async (): ReturnType<typeof act> => {
        signal?.throwIfAborted();
        return act();
      };
      return audited(host, intent, begun, tally);
    },
  };
}

/** Before anything is done: there would be no record of it that anybody could read. */
function requireWords(filter: unknown): void {
  if (typeof filter !== "object" || filter === null || Array.isArray(filter))
    throw mustBe("filter", "an object; an empty one where everything is meant", filter);
  for (const [name, value] of Object.entries(filter))
    if (value !== undefined && !isAuditValue(value))
      throw mustBe(`filter.${name.slice(0, 80)}`, "a text, a number, true, false or texts", value);
}

function isAuditValue(value: unknown): value is AuditValue {
  if (Array.isArray(value)) return value.every((one) => typeof one === "string");
  return ["string", "number", "boolean"].includes(typeof value);
}

/** The document bucket; the key is the time and a few random letters, so that keys sort by age. */
export const AUDIT_BUCKET = "audit";
export const AUDIT_KEPT_MS = 400 * 24 * 3_600_000;
export const AUDIT_KEPT = 10_000;
/** A bucket counts its writes; at each so-many-th somebody drops what is too old. */
const TRIM_EVERY = 100;

/**
 * Does something an operator asked for, with a record of it: written before (where it can't be,
 * nothing is done) and completed after with how many things were changed, or with the error. Where
 * it can't be completed, it stays `begun` and a process warning says so: whoever was told of a
 * failure would do again what is done.
 *
 * @throws what `act` throws; MillraceError of the record's write
 * @example
 * const results = await audited(
 *   millrace,
 *   { action: "dead retry", filter: { queue: "mail" } },
 *   () => dead.retry({ queue: "mail" }),
 *   tallyLetters,
 * );
 */
export async function audited<Result>(
  { broker, mask }: AuditHost,
  intent: AuditIntent,
  act: () => Promise<Result>,
  tally: (result: Result) => AuditTally,
): Promise<Result> {
  const store = await broker.documents(AUDIT_BUCKET);
  const record = await begin(store, intent, { state: "begun" });
  let result: Result;
  try {
    result = await act();
  } catch (error) {
    const known = MillraceError.is(error);
    await endAfter(store, record, {
      state: "failed",
      code: known ? error.code : "internal",
      message: mask.text(error instanceof Error ? error.message : String(error)),
    });
    throw error;
  }
  const { count, failed = 0 } = tally(result);
  await endAfter(store, record, { state: "done", count, failed });
  return result;
}

/**
 * Leaves a record of something that was done in one go. For what takes several writes `audited` is
 * safer: it says so before.
 *
 * @example
 * await recordAudit(broker, { action: "dead edit", filter: { id: "order-7" } }, { count: 1 });
 */
export async function recordAudit(
  broker: Broker,
  intent: AuditIntent,
  { count, failed = 0 }: AuditTally,
): Promise<AuditRecord> {
  return begin(await broker.documents(AUDIT_BUCKET), intent, { state: "done", count, failed });
}

/** Says what is about to be done by whoever completes the record, perhaps another process. */
export async function beginAudit(broker: Broker, intent: AuditIntent): Promise<AuditRecord> {
  return begin(await broker.documents(AUDIT_BUCKET), intent, { state: "begun" });
}

/** Where it is still kept. Saying the same again changes nothing. */
export async function completeAudit(
  broker: Broker,
  id: string,
  outcome: AuditOutcome,
): Promise<void> {
  const store = await broker.documents(AUDIT_BUCKET);
  const record = readRecord(id, (await store.get(id))?.value);
  if (record !== undefined) await end(store, record, outcome);
}

/** Newest first. */
export async function listAudit(
  broker: Broker,
  { limit = 100, action, since = 0 }: AuditQuery = {},
): Promise<readonly AuditRecord[]> {
  requireLimit(limit);
  const documents = await (await broker.documents(AUDIT_BUCKET, { look: true })).list();
  return documents
    .map(({ key, value }) => readRecord(key, value))
    .filter((record) => record !== undefined)
    .filter(
      (record) => record.at >= since && (action === undefined || record.action.startsWith(action)),
    )
    .toSorted((a, b) => (a.id < b.id ? 1 : -1))
    .slice(0, limit);
}

async function begin(
  store: DocumentStore,
  { action, filter, by = whoAmI(), reason }: AuditIntent,
  outcome: AuditOutcome,
): Promise<AuditRecord> {
  const at = await store.now();
  const id = `${String(Math.floor(at)).padStart(15, "0")}-${randomBytes(5).toString("hex")}`;
  const record: AuditRecord = {
    id,
    at,
    action,
    filter,
    by,
    ...(reason === undefined ? {} : { reason }),
    outcome,
  };
  const revision = await store.put(id, record, 0);
  // What can't be dropped now is dropped another time.
  if (revision % TRIM_EVERY === 0) await trim(store, at).catch(() => {});
  return record;
}

/** The act is over, and counts whether its record can be completed or not. */
async function endAfter(
  store: DocumentStore,
  record: AuditRecord,
  outcome: AuditOutcome,
): Promise<void> {
  try {
    await end(store, record, outcome);
  } catch (error) {
    process.emitWarning(
      `The audit's record ${record.id} of ${record.action} stays "begun": ${recordError(error).message}`,
      "MillraceWarning",
    );
  }
}

async function end(
  store: DocumentStore,
  record: AuditRecord,
  outcome: AuditOutcome,
): Promise<void> {
  await store.put(record.id, { ...record, outcome });
}

/** Bounded by age and count. Nobody watches the bucket, so what goes leaves no mark. */
async function trim(store: DocumentStore, now: number): Promise<void> {
  const documents = (await store.list()).toSorted((a, b) => (a.key < b.key ? 1 : -1));
  for (const [index, { key, revision, updatedAt }] of documents.entries())
    if (index >= AUDIT_KEPT || now - updatedAt > AUDIT_KEPT_MS) await store.erase(key, revision);
}

/** What another version or another program wrote there is left out rather than shown half. */
function readRecord(id: string, value: unknown): AuditRecord | undefined {
  const record = value as Partial<AuditRecord> | null;
  if (
    typeof record !== "object" ||
    record === null ||
    typeof record.action !== "string" ||
    typeof record.by !== "string" ||
    typeof record.at !== "number" ||
    typeof record.filter !== "object" ||
    record.filter === null ||
    !isOutcome(record.outcome)
  )
    return undefined;
  const { action, by, at, filter, outcome, reason } = record;
  return { id, at, action, by, filter, outcome, ...(typeof reason === "string" ? { reason } : {}) };
}

function isCounted({ count, failed }: Partial<AuditCounts>): boolean {
  return typeof count === "number" && typeof failed === "number";
}

function isOutcome(outcome: AuditOutcome | undefined): outcome is AuditOutcome {
  switch (outcome?.state) {
    case "begun":
      return true;
    case "done":
      return isCounted(outcome);
    case "stopped":
      return isCounted(outcome) && typeof outcome.by === "string";
    case "failed":
      return typeof outcome.code === "string" && typeof outcome.message === "string";
    default:
      return false;
  }
}
