import { describe, expect, test } from "vitest";
import type { BodyFormat } from "../envelope/body.ts";
import type { Envelope } from "../envelope/envelope.ts";
import { HeldValue } from "../envelope/plain-encoder.ts";
import { readEnvelope } from "../envelope/read-envelope.ts";
import { writeEnvelope } from "../envelope/write-envelope.ts";
import { settle } from "./settle.ts";
import { envelope, failed, inputOf, message } from "./settle.fixture.ts";
import type { SettlementInput } from "./settlement.ts";

const TYPES = { msgpack: "application/msgpack", json: "application/json" } as const;
const RULES = { maxValues: 100_000, exact: true, wellFormed: true };
const STORED = { lines: [1, { at: "two" }], to: "a@b.c" };

/** A first attempt that failed of a job that was stored so; its handler changed its input. */
function changed(format: BodyFormat, payload: unknown = STORED): SettlementInput {
  const body = writeEnvelope({ ...envelope, payload }, format, RULES);
  const headers = { ...message.headers, "content-type": TYPES[format] };
  return inputOf({
    outcome: failed,
    envelope: { ...envelope, payload: { lines: [], added: true } },
    message: { ...message, body, headers },
  });
}

function readAgain(sent: Envelope, format: BodyFormat): unknown {
  const body = writeEnvelope(sent, format, RULES);
  const read = readEnvelope({ ...message, body, headers: { "content-type": TYPES[format] } });
  return read.ok ? read.envelope.payload : read;
}

describe.each(["msgpack", "json"] as const)("the payload of a retry that came as %s", (format) => {
  test("is the stored one, in whichever format it goes on", () => {
    const { state, envelope: next } = settle(changed(format));
    expect(state).toBe("requeued");
    expect(readAgain(next, "msgpack")).toEqual(STORED);
    expect(readAgain(next, "json")).toEqual(STORED);
  });

  test("is bytes until it is written: no second copy of its values is held", () => {
    expect(settle(changed(format)).envelope.payload).toBeInstanceOf(HeldValue);
  });
});

test("the bytes of a retry's payload are those of its message, not a copy of them", () => {
  const input = changed("msgpack");
  const { payload } = settle(input).envelope as { payload: HeldValue };
  expect(payload.bytes.buffer).toBe(input.message.body.buffer);
});

test("a message that can't be read hands on what was read of it", () => {
  const input = changed("msgpack");
  const broken = { ...input.message, body: Uint8Array.of(0xc1) };
  expect(settle({ ...input, message: broken }).envelope.payload).toBe(input.envelope.payload);
});

/** Bytes that only a stranger sends: text that a decoder does not end where its length says. */
const byHand = (hex: string): Uint8Array =>
  Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const NAME = "a4 6e616d65 a4 74657374";
const PAYLOAD = "a7 7061796c6f6164";

test.each([
  ["Latin-1", `82 ${NAME} ${PAYLOAD} 81 a3 77686f a4 436166e9`],
  ["Latin-1 in a name", `82 ${NAME} ${PAYLOAD} 81 a2 6be9 01`],
  [
    "another name in overlong bytes",
    `83 ${NAME} ${PAYLOAD} 81 a161 01 a8c1b06179 6c6f6164 81a16102`,
  ],
  ["no other name than in overlong bytes", `82 ${NAME} a8c1b06179 6c6f6164 81a16102`],
])("a payload with %s is on each attempt what it was on the first", (_, hex) => {
  const first = { ...message, body: byHand(hex) };
  const read = readEnvelope(first);
  if (!read.ok) throw new Error(read.error.message);
  const stored: unknown = structuredClone(read.envelope.payload);
  Object.assign(read.envelope.payload as object, { spoiled: 1 });
  const { envelope: next } = settle(
    inputOf({ outcome: failed, envelope: read.envelope, message: first }),
  );
  expect(readAgain(next, "msgpack")).toEqual(stored);
});
