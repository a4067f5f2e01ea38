import { Encoder } from "@msgpack/msgpack";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_DEPTH } from "./body.ts";
import { type Envelope, messageIdOf } from "./envelope.ts";
import { writeFittingEnvelope } from "./fit-envelope.ts";
import { messageOf } from "./message.fixture.ts";
import { isId } from "../ids/names.ts";
import { readEnvelope } from "./read-envelope.ts";
import { writeEnvelope } from "./write-envelope.ts";

const token = fc.stringMatching(/^[A-Za-z0-9_:-]{1,40}$/);
const count = fc.nat({ max: 1_000 });
const time = fc.integer({ min: 0, max: 4_000_000_000_000 });
const optional = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(of, { nil: undefined });
const recordedError = fc.record(
  { type: fc.string(), message: fc.string(), stack: fc.string() },
  { requiredKeys: ["type", "message"] },
);
/**
 * What both formats carry and give back the same: JSON knows no -0 and no whole number beyond 2^53,
 * and a key `__proto__` is refused.
 */
const plain = fc
  .jsonValue({ maxDepth: 6 })
  .map((value): unknown => JSON.parse(JSON.stringify(value)))
  .filter((value) => !/(?<![.\d])\d{16,}(?![.\de])|__proto__/.test(JSON.stringify(value)));

/** Drops what is undefined, as a field that isn't there. */
function envelopeOf(fields: Record<string, unknown>): Envelope {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as unknown as Envelope;
}

const envelopes: fc.Arbitrary<Envelope> = fc
  .record({
    id: token,
    name: fc.array(token, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(".")),
    queue: fc.constant("mail"),
    lane: optional(fc.constantFrom("high", "low")),
    payload: plain,
    createdAt: time,
    notBefore: optional(time),
    expiresAt: optional(time),
    maxAttempts: optional(fc.integer({ min: 1, max: 100 })),
    timeoutMs: optional(fc.integer({ min: 1, max: 10_000_000 })),
    uniqueKey: optional(fc.string({ maxLength: 50 })),
    concurrencyKey: optional(fc.string({ maxLength: 50 })),
    tags: optional(fc.array(fc.string({ maxLength: 20 }))),
    batch: optional(token),
    next: optional(
      fc.array(
        fc.record(
          {
            id: token,
            name: token,
            queue: fc.constant("mail"),
            lane: fc.constant("high" as const),
          },
          { requiredKeys: ["name", "queue"] },
        ),
        { maxLength: 3 },
      ),
    ),
    headers: fc.constant({ traceparent: "00-1" }),
    attempts: count,
    generation: fc.integer({ min: 1, max: 1_000 }),
    interruptions: count,
    crashes: count,
    snoozes: count,
    reservedAt: optional(time),
    runnableAt: optional(time),
    firstError: optional(recordedError),
    lastError: optional(recordedError),
  })
  .map(envelopeOf);

function readBack(envelope: Envelope, body: Uint8Array): unknown {
  const { lane, headers } = envelope;
  const result = readEnvelope(
    messageOf(body, { origin: "runtime", headers, ...(lane === undefined ? {} : { lane }) }),
  );
  return result.ok ? result.envelope : result;
}

describe("envelopes, whatever they hold", () => {
  test("what is written is read, in both formats", () => {
    fc.assert(
      fc.property(envelopes, fc.constantFrom("msgpack", "json"), (envelope, format) => {
        expect(readBack(envelope, writeEnvelope(envelope, format))).toEqual(envelope);
      }),
    );
  });

  test("any bytes give an envelope or a reason, and never throw", () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    const withMapHeader = bytes.map(
      (tail) => new Uint8Array([0x82, 0xa4, 0x6e, 0x61, 0x6d, 0x65, 0xa1, 0x61, ...tail]),
    );
    fc.assert(
      fc.property(
        fc.oneof(bytes, withMapHeader),
        fc.constantFrom("producer", "runtime"),
        (body, origin) => {
          const result = readEnvelope(messageOf(body, { origin }));
          expect(
            result.ok ||
              (result.reason.length > 0 && isId(result.id) && result.error.message.length > 0),
          ).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("any value, as msgpack or JSON, gives an envelope or a reason, and never throws", () => {
    const encoder = new Encoder();
    const field = fc.anything({ maxDepth: 3, withDate: true, withTypedArray: true });
    const body = fc.record(
      {
        v: field,
        id: field,
        name: fc.oneof(field, token),
        payload: field,
        attempts: field,
        tags: field,
        batch: field,
        next: field,
        firstError: field,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(body, field), (value) => {
        const bodies: Uint8Array[] = [];
        for (const encode of [
          () => encoder.encode(value),
          () => Buffer.from(JSON.stringify(value) ?? ""),
        ]) {
          try {
            bodies.push(new Uint8Array(encode()));
          } catch {
            // Not every value has bytes; those that have none are no message.
          }
        }
        for (const bytes of bodies)
          expect(typeof readEnvelope(messageOf(bytes, { origin: "runtime" })).ok).toBe("boolean");
      }),
      { numRuns: 1_000 },
    );
  });

  test("what is taken can be read, and what was read can be written again: both sides count depth alike", () => {
    const nested = fc.tuple(
      fc.integer({ min: 1, max: MAX_DEPTH + 6 }),
      fc.constantFrom<unknown>([], {}, 1, "text", null),
    );
    fc.assert(
      fc.property(
        nested,
        fc.constantFrom("msgpack", "json"),
        fc.constantFrom("list", "map"),
        ([depth, core], format, kind) => {
          let payload = core;
          for (let level = 0; level < depth; level += 1)
            payload = kind === "list" ? [payload] : { a: payload };
          const envelope = envelopeOf({
            id: "a",
            name: "b",
            queue: "mail",
            payload,
            createdAt: 1,
            headers: {},
            attempts: 1,
            generation: 1,
            interruptions: 0,
            crashes: 0,
            snoozes: 0,
          });
          let body: Uint8Array;
          try {
            body = writeEnvelope(envelope, format);
          } catch {
            const foreign = new Uint8Array(
              format === "json"
                ? Buffer.from(JSON.stringify(envelope))
                : new Encoder({ maxDepth: 200 }).encode(envelope),
            );
            expect(readEnvelope(messageOf(foreign)).ok).toBe(false);
            return;
          }
          expect(readBack(envelope, body)).toEqual(envelope);
        },
      ),
    );
  });

  test("message ids of one job never repeat, and never are another job's id", () => {
    fc.assert(
      fc.property(token, token, fc.nat(), fc.nat(), (id, other, a, b) => {
        expect(messageIdOf({ id, generation: a }) === messageIdOf({ id, generation: b })).toBe(
          a === b,
        );
        if (a > 0) expect(isId(messageIdOf({ id, generation: a }))).toBe(false);
        if (id !== other)
          expect(messageIdOf({ id, generation: a })).not.toBe(
            messageIdOf({ id: other, generation: b }),
          );
      }),
    );
  });

  test("a requeue that is made to fit stays within its bytes and loses nothing but text of errors", () => {
    fc.assert(
      fc.property(envelopes, fc.integer({ min: 50, max: 3_000 }), (envelope, limit) => {
        let body: Uint8Array;
        try {
          body = writeFittingEnvelope(envelope, limit);
        } catch (error) {
          expect(error).toMatchObject({ code: "payload-too-large" });
          return;
        }
        expect(body.length).toBeLessThanOrEqual(limit);
        const { firstError: _f, lastError: _l, ...rest } = envelope;
        expect(readBack(envelope, body)).toMatchObject(rest);
      }),
    );
  });
});
