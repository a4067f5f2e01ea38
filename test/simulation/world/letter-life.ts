import { type DeadLetter, type Envelope, readEnvelope } from "@millrace/core";

/**
 * In which life a job was buried: how often it had been brought back before. What can't be read
 * never was.
 */
export function lifeOfLetter(letter: DeadLetter): number {
  return envelopeOf(letter)?.life ?? 0;
}

/** When the job was made, and after which end; nothing where that can't be read. */
export function madeOfLetter(letter: DeadLetter): {
  readonly createdAt?: number | undefined;
  readonly mark?: number | undefined;
} {
  const { createdAt, unkeyed: mark } = envelopeOf(letter) ?? {};
  return { createdAt, mark };
}

/** What its producer gave the job; undefined where that can't be read. */
export function payloadOfLetter(letter: DeadLetter): unknown {
  return envelopeOf(letter)?.payload;
}

function envelopeOf({ queue, door, body, headers, at }: DeadLetter): Envelope | undefined {
  const read = readEnvelope({
    ...{ queue, body, headers, sequence: 0, storedAt: at },
    origin: door ?? "runtime",
  });
  return read.ok ? read.envelope : undefined;
}
