import { cancelReason } from "../control/cancellation.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { runnableAt } from "../envelope/runnable-at.ts";
import { nextJobs, notePlace } from "../envelope/flow-place.ts";
import type { RecordedError } from "../errors/recorded-error.ts";
import type { DeadLetter } from "./dead-letter.ts";
import type { HistoryRecord } from "./history-record.ts";
import { firstMessageOf, firstStoredAt, unkeyedPlace } from "./one-end.ts";
import type { DeadReason } from "./dead-reason.ts";
import { toldOf } from "./outcome-job.ts";
import { crashesOf, type Settlement, type SettlementInput } from "./settlement.ts";
import { nextPayload } from "./stored-payload.ts";
import { tickOriginOf } from "../schedule/tick-job.ts";
import { traceIdOf } from "../tracing/trace-id.ts";

/** What is kept of a job that no attempt is left for. */
export function deadLetterOf(
  input: SettlementInput,
  envelope: Envelope,
  reason: DeadReason,
): DeadLetter {
  const { message, outcome } = input;
  const error = "error" in outcome ? outcome.error : errorOf(reason, input);
  return {
    id: envelope.id,
    ...(envelope.name === "" ? {} : { name: envelope.name }),
    queue: envelope.queue,
    reason,
    attempts: envelope.attempts,
    error,
    ...(envelope.firstError === undefined || envelope.firstError === error
      ? {}
      : { firstError: envelope.firstError }),
    at: input.now,
    node: input.node,
    door: message.origin,
    ...firstMessageOf(input.envelope, message),
    body: message.body,
    headers: message.headers,
  };
}

function errorOf(reason: DeadReason, input: SettlementInput): RecordedError {
  if (reason === "crashed") {
    return {
      type: "crashed",
      message: `The job's holder crashed or lost its lease ${crashesOf(input)} times in a row without an outcome.`,
    };
  }
  const {
    envelope: { expiresAt },
    now,
  } = input;
  const at =
    expiresAt !== undefined && expiresAt <= now ? ` at ${new Date(expiresAt).toISOString()}` : "";
  return { type: "expired", message: `The job did not start before its expiry${at}.` };
}

/** What the history keeps of one delivery. */
export function historyRecordOf(
  input: SettlementInput,
  { envelope, state, notBefore, reason }: Settlement,
): HistoryRecord {
  const { outcome } = input;
  const record: { -readonly [K in keyof HistoryRecord]: HistoryRecord[K] } = {
    id: envelope.id,
    name: envelope.name,
    queue: envelope.queue,
    state: state as HistoryRecord["state"],
    outcome: outcome.kind,
    attempts: envelope.attempts,
    generation: input.envelope.generation,
    sequence: input.message.sequence,
    createdAt: envelope.createdAt,
    node: input.node,
    at: input.now,
  };
  record.firstStoredAt = firstStoredAt(input.envelope, input.message);
  const unkeyed = unkeyedPlace(input.envelope, input.message);
  if (unkeyed !== undefined) record.unkeyed = unkeyed;
  if (envelope.life !== undefined) record.life = envelope.life;
  if (input.startedAt !== undefined) record.startedAt = input.startedAt;
  if (input.waitedMs !== undefined) record.waitedMs = input.waitedMs;
  if (input.durationMs !== undefined) record.durationMs = input.durationMs;
  if (notBefore !== undefined) record.notBefore = notBefore;
  if (outcome.kind === "succeeded" && outcome.output !== undefined) record.output = outcome.output;
  if ("error" in outcome) record.error = outcome.error;
  // A handler may give any text; what is too long for a record would keep the job from ever ending.
  if (outcome.kind === "cancelled") {
    record.reason = cancelReason(outcome.reason);
    if (input.startedAt === undefined && crashesOf(input) > 0) record.mayHaveBegun = true;
  }
  if (outcome.kind === "blocked") record.reason = outcome.gate;
  if (reason !== undefined) record.reason = reason;
  if (envelope.parent !== undefined) record.parent = envelope.parent;
  notePlace(record, envelope, nextJobs(envelope));
  if (input.children !== undefined) record.children = input.children;
  if (input.stepCount !== undefined) record.stepCount = input.stepCount;
  if (input.envelope.generation === 0 && input.message.origin === "runtime") {
    record.door = "runtime";
    if (envelope.sentFrom !== undefined) record.sentFrom = envelope.sentFrom;
  }
  const leadership = tickOriginOf(envelope)?.token;
  if (leadership !== undefined) record.leadership = leadership;
  const traceId = input.traceId ?? traceIdOf(envelope.headers);
  if (traceId !== undefined) record.traceId = traceId;
  const tells = toldOf(input.outcomeJobs, state);
  if (tells !== undefined) record.tells = tells;
  return record;
}

/**
 * The envelope of a job that goes on, as its next message has it. A start time that has been
 * reached is not carried on: it would only delay the next attempt's bookkeeping.
 *
 * @param counted what the settlement counted is in it already
 */
export function nextGeneration(
  counted: Envelope,
  input: SettlementInput,
  notBefore: number | undefined,
): Envelope {
  const {
    notBefore: _reached,
    reservedAt: _used,
    runnableAt: _before,
    sharedSince: _asked,
    ...rest
  } = counted;
  const next: { -readonly [K in keyof Envelope]: Envelope[K] } = {
    ...rest,
    payload: nextPayload(input),
    generation: counted.generation + 1,
  };
  if (notBefore !== undefined) next.notBefore = notBefore;
  const waitsSince = runnableSince(input, notBefore);
  if (waitsSince > counted.createdAt) next.runnableAt = waitsSince;
  next.firstStoredAt = firstStoredAt(input.envelope, input.message);
  const unkeyed = unkeyedPlace(input.envelope, input.message);
  if (unkeyed !== undefined) next.unkeyed = unkeyed;
  const reservedAt = placeKept(input);
  if (reservedAt !== undefined) next.reservedAt = reservedAt;
  // Where it ran here, whoever has it still finds this record before it writes another. A letter
  // that a dead one left lies there until the job ends, and whoever ends it must look.
  const isStillShared = input.from === "queued" || input.isBuriedBeside === true;
  const sharedSince = isStillShared ? (input.sharedSince ?? counted.sharedSince) : undefined;
  if (sharedSince !== undefined) next.sharedSince = sharedSince;
  return next;
}

/** A place that a rate limit keeps is used up by running: each attempt needs one of its own. */
function placeKept({ from, outcome, envelope }: SettlementInput): number | undefined {
  if (outcome.kind === "deferred" && outcome.reservedAt !== undefined) return outcome.reservedAt;
  return from === "queued" ? envelope.reservedAt : undefined;
}

/**
 * Since when the next attempt can start, where its start time doesn't tell. One that did not run
 * goes on waiting.
 */
function runnableSince({ from, envelope, now }: SettlementInput, notBefore = 0): number {
  if (from === "running") return notBefore > now ? 0 : now;
  const since = runnableAt(envelope);
  // It was sent to wait for its own start.
  return since > now ? 0 : since;
}
