import { type DeadLetter, readEnvelope } from "@millrace/core";

/**
 * In which life a job was buried: how often it had been brought back before. What can't be read
 * never was.
 */
export function lifeOfLetter({ queue, door, body, headers, at }: DeadLetter): number {
  const read = readEnvelope({
    ...{ queue, body, headers, sequence: 0, storedAt: at },
    origin: door ?? "runtime",
  });
  return read.ok ? (read.envelope.life ?? 0) : 0;
}
