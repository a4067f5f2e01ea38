import { createHash } from "node:crypto";
import { endMark } from "../envelope/chain-link.ts";
import { type Envelope, UNSETTLED } from "../envelope/envelope.ts";
import type { RecordedError } from "../errors/recorded-error.ts";
import type {
  CancelledJob,
  DeadJob,
  EndedJob,
  OutcomeJobs,
  OutcomeTarget,
  SucceededJob,
} from "../job/outcome-jobs.ts";
import type { FinalState } from "../machine/execution-machine.ts";
import type { RecordedEnd } from "./outcome.ts";

type Told = SucceededJob | DeadJob | CancelledJob;

/** An id has 128 characters at most. */
const LONGEST_ID = 128;

/**
 * The job that tells of an end, made of what is on record and of the job as it was delivered: who
 * completes a settlement makes the same of it as the one who began it.
 *
 * @returns undefined where nobody is to be told
 */
export function outcomeJob(ended: Envelope, end: RecordedEnd): Envelope | undefined {
  const { tells } = end;
  // A later life is told by its own message: it may have been edited.
  if (tells === undefined || (end.life ?? 0) !== (ended.life ?? 0)) return undefined;
  return {
    ...UNSETTLED,
    id: outcomeId(ended, end),
    name: tells.name,
    queue: tells.queue,
    payload: tellOf(ended, end),
    createdAt: end.at,
    // An id that is used again comes by the same one here.
    unkeyed: endMark(end),
    headers: ended.headers,
  };
}

/**
 * The same job with less to tell, where it doesn't fit into a message or can't be written. First
 * goes what is kept elsewhere: a result in the history, a payload in the dead letter.
 *
 * @returns undefined where nothing is left to spare
 */
export function tellLess(
  outcome: Envelope,
  why: "too-large" | "unserializable",
): Envelope | undefined {
  const told = outcome.payload as Told;
  if (told.end === "succeeded" && told.result !== undefined) {
    const { result: _kept, ...rest } = told;
    return { ...outcome, payload: { ...rest, resultDropped: why } satisfies SucceededJob };
  }
  // It was read from a message, so it can be written.
  if (why === "unserializable" || told.payload === undefined) return undefined;
  const { payload: _left, ...rest } = told;
  return { ...outcome, payload: { ...rest, payloadDropped: "too-large" } satisfies Told };
}

/** Whom a definition tells of an end. */
export function toldOf(
  jobs: OutcomeJobs | undefined,
  state: FinalState,
): OutcomeTarget | undefined {
  if (jobs === undefined) return undefined;
  switch (state) {
    case "succeeded":
    case "dead":
    case "cancelled":
      return jobs[state];
    case "expired":
      return jobs.dead;
    default:
      return undefined;
  }
}

function wordOf({ state }: RecordedEnd): keyof OutcomeJobs {
  return state === "expired" ? "dead" : state;
}

/**
 * Of one end of one job, in its queue and life: ids of two queues may be the same, and whoever
 * chooses an id in one must not choose the other's with it. No name of a queue has a colon.
 */
function outcomeId({ id, queue }: Envelope, end: RecordedEnd): string {
  const life = end.life === undefined || end.life === 0 ? "" : `-${end.life}`;
  const word = `${wordOf(end)}${life}`;
  const whole = `${word}:${queue}:${id}`;
  if (whole.length <= LONGEST_ID) return whole;
  return `${word}:${createHash("sha256").update(whole).digest("base64url")}`;
}

function tellOf(ended: Envelope, end: RecordedEnd): Told {
  const job = endedJob(ended, end);
  switch (end.state) {
    case "succeeded":
      return {
        ...job,
        end: "succeeded",
        ...(end.output === undefined ? {} : { result: end.output }),
        ...(end.outputDropped === undefined ? {} : { resultDropped: end.outputDropped }),
      };
    case "dead":
    case "expired": {
      const reason = (end.reason ?? end.state) as DeadJob["reason"];
      return { ...job, end: end.state, reason, error: end.error ?? errorOf(reason) };
    }
    case "cancelled":
      return { ...job, end: "cancelled", reason: end.reason ?? "" };
  }
}

function endedJob({ id, name, queue, payload }: Envelope, end: RecordedEnd): EndedJob {
  const dropped = droppedBy(end);
  return {
    id,
    name,
    queue,
    ...(dropped === undefined ? { payload } : { payloadDropped: dropped }),
    attempts: end.attempts,
    ...(end.life === undefined ? {} : { life: end.life }),
    endedAt: end.at,
  };
}

/** What was refused is not handed to a job that counts on its type. */
function droppedBy({ state, reason }: RecordedEnd): EndedJob["payloadDropped"] {
  // Whoever cancels a job may give any text as the reason.
  if (state !== "dead") return undefined;
  switch (reason) {
    case "invalid-payload":
      return "invalid";
    case "undecodable":
    case "invalid-envelope":
    case "unsupported-version":
      return "unreadable";
    default:
      return undefined;
  }
}

/** Of an end that no attempt of its own led to. */
function errorOf(reason: string): RecordedError {
  const message =
    reason === "crashed"
      ? "The job's holders crashed or lost their leases without an outcome."
      : "The job did not start before its expiry.";
  return { type: reason, message };
}
