import {
  brokenLink,
  isHopeless,
  isUnfit,
  MillraceError,
  NO_ROOM_MS,
  recordError,
  settle,
  type Settlement,
  type SettlementInput,
  type SettlementStep,
  tellLess,
  unserializable,
} from "@millrace/core";

/** A settlement that the broker could not carry out. */
export interface Failure {
  readonly error: unknown;
  readonly settlement: Settlement;
  /** The step that failed; undefined where all but the ack are confirmed and a hook failed. */
  readonly step: SettlementStep | undefined;
}

/** @param confirmed steps of it, or of an earlier one */
export function failureOf(
  error: unknown,
  settlement: Settlement,
  confirmed: readonly SettlementStep[] | undefined,
): Failure {
  // Steps are confirmed in their order, and hooks come before the ack.
  const step = settlement.steps.find((one) => one.do !== "ack" && !confirmed?.includes(one));
  return { error, settlement, step };
}

/**
 * Says what to do when a settlement can't be carried out as it stands. Pure. Each fallback drops
 * one thing, so it cannot repeat, and keeps the very steps that are confirmed.
 *
 * @param now epoch milliseconds
 * @returns another settlement for the same delivery, or undefined where the same one is to be tried
 *   again
 */
export function fallback(
  { error, settlement, step }: Failure,
  input: SettlementInput,
  now: number,
): Settlement | undefined {
  switch (step?.do) {
    case "enqueue":
      if (MillraceError.is(error, "queue-full"))
        return waiting(settlement, step, now + NO_ROOM_MS, now);
      if (!isHopeless(error)) return undefined;
      return lessTold(settlement, step, error) ?? chainBroken(input, settlement, step, error);
    case "requeue":
      if (MillraceError.is(error, "queue-full"))
        return waiting(settlement, step, now + NO_ROOM_MS, now);
      return isUnfit(error) ? unfit(input, error) : undefined;
    case "block":
      return isUnfit(error) ? unfit(input, error) : undefined;
    case "bury":
      return isUnfit(error) ? withoutPayload(input, settlement, step, error) : undefined;
    case "record":
      return isUnfit(error) ? withoutOutput(settlement, step, error) : undefined;
    default:
      return undefined;
  }
}

type EnqueueStep = Extract<SettlementStep, { readonly do: "enqueue" }>;

function replaced(
  settlement: Settlement,
  old: SettlementStep,
  by: readonly SettlementStep[],
): Settlement {
  return {
    ...settlement,
    steps: settlement.steps.flatMap((step) => (step === old ? by : [step])),
  };
}

/**
 * A full queue takes nothing at all, and a place in it comes free only by an ack: if every holder
 * waited for one before it acks, none ever would. Delayed jobs wait outside of the queue, whichever
 * queue is full.
 */
function waiting(
  settlement: Settlement,
  step: Extract<SettlementStep, { readonly do: "requeue" | "enqueue" }>,
  notBefore: number,
  now: number,
): Settlement | undefined {
  // Then it was the delayed jobs that found no room.
  if ((step.envelope.notBefore ?? 0) > now) return undefined;
  const envelope = { ...step.envelope, notBefore };
  if (step.do === "enqueue") return replaced(settlement, step, [{ ...step, envelope }]);
  return {
    ...settlement,
    envelope,
    notBefore,
    steps: settlement.steps.map((other) => {
      if (other === step) return { do: "requeue", envelope };
      return other.do === "record" ? { ...other, record: { ...other.record, notBefore } } : other;
    }),
  };
}

/** Shortens the outcome job until it fits into a message. */
function lessTold(
  settlement: Settlement,
  step: EnqueueStep,
  error: unknown,
): Settlement | undefined {
  if (step.tells !== true || !isUnfit(error)) return undefined;
  const why = MillraceError.is(error, "payload-too-large") ? "too-large" : "unserializable";
  const envelope = tellLess(step.envelope, why);
  return envelope && replaced(settlement, step, [{ ...step, envelope }]);
}

/**
 * Without the next job a chain would end without a word; its place is taken by a letter in its
 * name, from which the chain can go on.
 */
function chainBroken(
  input: SettlementInput,
  settlement: Settlement,
  step: EnqueueStep,
  error: unknown,
): Settlement {
  return replaced(settlement, step, brokenLink(input, step.envelope, recordError(error)));
}

/**
 * The letter of a job that was to follow and is too large for a letter, too: an operator gives its
 * payload anew.
 */
function withoutPayload(
  input: SettlementInput,
  settlement: Settlement,
  step: Extract<SettlementStep, { readonly do: "bury" }>,
  error: unknown,
): Settlement | undefined {
  const { letter } = step;
  if (step.once === undefined) return undefined;
  const following = settle(input).steps.find(
    (other) => other.do === "enqueue" && other.envelope.id === letter.id,
  );
  if (following?.do !== "enqueue") return undefined;
  const [bare] = brokenLink(input, following.envelope, letter.error ?? recordError(error), "lost");
  if (bare?.do !== "bury" || bare.letter.body.length >= letter.body.length) return undefined;
  return replaced(settlement, step, [{ ...step, letter: { ...letter, body: bare.letter.body } }]);
}

/**
 * The work is done and can't be undone: the job has succeeded, and its history says what became of
 * the result.
 */
function withoutOutput(
  settlement: Settlement,
  step: Extract<SettlementStep, { readonly do: "record" }>,
  error: unknown,
): Settlement | undefined {
  const { output, ...record } = step.record;
  if (output === undefined) return undefined;
  const dropped = MillraceError.is(error, "unserializable-payload")
    ? unserializable(error)
    : ({ outputDropped: "too-large" } as const);
  return replaced(settlement, step, [{ ...step, record: { ...record, ...dropped } }]);
}

/** It grew while it was counted, and does not fit into its queue any more. */
function unfit(input: SettlementInput, error: unknown): Settlement {
  return settle({
    ...input,
    outcome: { kind: "rejected", reason: "payload-too-large", error: recordError(error) },
  });
}
