import {
  type Broker,
  type DeadLetter,
  DEFAULT_MAX_DELAY_MS,
  defined,
  type Envelope,
  type FirstMessage,
  firstOfNextLife,
  messageOfLetter,
  MillraceError,
  readEnvelope,
  type StoredDeadLetter,
  tooFarAhead,
  type UnreadableReason,
  UNSETTLED,
  writeEnvelope,
} from "@millrace/core";

/** What the broker's producers are bound by. */
export type RevivalLimits = Partial<Pick<Broker, "maxValues" | "maxDelayMs">>;

/**
 * The envelope that gives a dead job a new life: the producer's fields as they were, the settler's
 * at zero. Only the generation goes on counting, so that the new life has message ids and history
 * records of its own.
 *
 * Of a producer's job nothing is taken for the runtime's. Where an earlier version buried it, who
 * wrote it isn't known, and it counts as a producer's of its queue.
 *
 * A start time that has passed and an expiry that has passed are left out: the operator wants it
 * run now.
 *
 * @param now by the server's clock: nodes count a queued timeout from then on
 * @throws MillraceError with the letter's own reason where its bytes still can't be read
 */
export function revivedEnvelope(
  letter: StoredDeadLetter,
  now: number,
  { maxDelayMs = DEFAULT_MAX_DELAY_MS, ...limits }: RevivalLimits = {},
): Envelope {
  const envelope = readLetter(letter, limits);
  const far = tooFarAhead(envelope.notBefore, now, maxDelayMs);
  if (far !== undefined) throw asItStands(letter, "invalid-envelope", `${far}.`);
  return nextLife(letter, envelope, now);
}

function nextLife(letter: StoredDeadLetter, envelope: Envelope, now: number): Envelope {
  const {
    firstError: _first,
    lastError: _last,
    notBefore,
    expiresAt,
    generation,
    life = 0,
    reservedAt: _used,
    sharedSince: _shared,
    cancelled: _cancelled,
    follows,
    closes,
    effectsOf,
    ...kept
  } = envelope;
  const isBelieved = letter.door !== undefined;
  return {
    ...kept,
    // A letter of an older version does not say who wrote it; such a version wrote none of these.
    ...(isBelieved && follows !== undefined ? { follows } : {}),
    ...(isBelieved && closes !== undefined ? { closes } : {}),
    ...(isBelieved && effectsOf !== undefined ? { effectsOf } : {}),
    ...UNSETTLED,
    ...(letter.door === undefined ? { sentFrom: kept.sentFrom ?? letter.queue } : {}),
    id: letter.id,
    generation: firstOfNextLife(generation),
    life: life + 1,
    runnableAt: now,
    ...ofSameEnqueue(letter),
    ...(notBefore !== undefined && notBefore > now ? { notBefore } : {}),
    ...(expiresAt !== undefined && expiresAt > now ? { expiresAt } : {}),
  };
}

/**
 * The letter of a job whose next life was taken back before it began. That life counts: the queue
 * remembers its message ids, and the one after it must have others.
 *
 * @throws MillraceError as `revivedEnvelope`
 */
export function letterAfterLife(
  letter: StoredDeadLetter,
  { generation, life, sentFrom, follows, closes, effectsOf }: Envelope,
  limits: RevivalLimits,
): DeadLetter {
  const { sequence: _, ...rest } = letter;
  // A letter of an older version may have these from anybody: the life after it has what is so.
  const {
    follows: _follows,
    closes: _closes,
    effectsOf: _effects,
    ...kept
  } = readLetter(letter, limits);
  const envelope: Envelope = {
    ...kept,
    ...defined({ follows, closes, effectsOf }),
    ...{ id: letter.id, generation },
    ...defined({ life, sentFrom }),
  };
  return { ...rest, door: "runtime", body: writeEnvelope(envelope) };
}

/** @throws MillraceError with the letter's own reason where its bytes still can't be read */
export function readLetter(letter: StoredDeadLetter, { maxValues }: RevivalLimits): Envelope {
  const message = messageOfLetter(letter);
  let read = readEnvelope(message, maxValues);
  // What an earlier version buried doesn't say: a producer may have sent nonsense in the settler's
  // fields, which are ignored in what it publishes.
  if (!read.ok && letter.door === undefined)
    read = readEnvelope({ ...message, origin: "producer" }, maxValues);
  if (!read.ok) throw asItStands(letter, read.reason, read.error.message);
  return read.envelope;
}

function asItStands({ id }: StoredDeadLetter, code: UnreadableReason, why: string): MillraceError {
  return new MillraceError(
    code,
    `The dead letter of ${id} can't be retried as it stands: ${why} Publish a corrected job, then discard the letter.`,
  );
}

/**
 * The envelope of a dead job with another payload. A start time that is too far ahead is left out,
 * as one that has passed is: all else stays. Where the letter's bytes can't be read it is made anew
 * from what the letter says.
 *
 * @throws MillraceError `invalid-envelope` where the letter does not know the job's name
 */
export function editedEnvelope(
  letter: StoredDeadLetter,
  payload: unknown,
  now: number,
  limits: RevivalLimits = {},
): Envelope {
  const dead = tryRead(letter, limits);
  if (dead !== undefined) {
    const { notBefore, ...rest } = dead;
    const far = tooFarAhead(notBefore, now, limits.maxDelayMs ?? DEFAULT_MAX_DELAY_MS);
    return { ...nextLife(letter, far === undefined ? dead : rest, now), payload };
  }
  const { id, name, queue, firstStoredAt = now } = letter;
  if (name === undefined)
    throw new MillraceError(
      "invalid-envelope",
      `The dead letter of ${id} does not say which job it was, so it can't be mended. Publish a corrected job, then discard the letter.`,
    );
  // Whoever waits for the job knows it by when it was made, as its death's record says.
  const read = readEnvelope(messageOfLetter(letter), limits.maxValues);
  const { createdAt = firstStoredAt, generation = 0 } = read.ok ? read.envelope : read.ties;
  return {
    ...UNSETTLED,
    ...{ id, name, queue, payload, createdAt, headers: {}, life: 1 },
    // By it the messages of this life are told from those before.
    generation: generation === 0 || letter.door === undefined ? 1 : firstOfNextLife(generation),
    runnableAt: now,
    ...ofSameEnqueue(letter),
    sentFrom: queue,
  };
}

/** The job's next life is of the same enqueue. */
function ofSameEnqueue({ firstStoredAt, unkeyed }: FirstMessage): FirstMessage {
  return defined({ firstStoredAt, unkeyed });
}

function tryRead(letter: StoredDeadLetter, limits: RevivalLimits): Envelope | undefined {
  try {
    return readLetter(letter, limits);
  } catch (error) {
    if (MillraceError.is(error)) return undefined;
    throw error;
  }
}
