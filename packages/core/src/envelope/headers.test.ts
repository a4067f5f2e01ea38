import { expect, test } from "vitest";
import { envelopeOptions } from "../producer/enqueue-options.ts";
import { messageOf } from "./message.fixture.ts";
import { readEnvelope } from "./read-envelope.ts";

const KIB = 1_024;
/** What a traced producer's broker adds to the headers that its job was given. */
const ADDED = {
  "nats-msg-id": "i".repeat(128),
  "content-type": "application/json",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "s".repeat(512),
  baggage: "b".repeat(8 * KIB),
};

const many = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, "v"]));

/** So many bytes of a message: each line has four besides its name and value. */
function taking(bytes: number, char = "v"): Record<string, string> {
  const lines = Array.from({ length: bytes / KIB }, (_, index): [string, string] => [
    `x-${String(index).padStart(2, "0")}`,
    char.repeat((KIB - 8) / Buffer.byteLength(char)),
  ]);
  return Object.fromEntries(lines);
}

function enqueued(headers: Readonly<Record<string, string>>): string {
  try {
    envelopeOptions({ headers }, 0, () => "a");
    return "taken";
  } catch (error) {
    return String(error);
  }
}

function received(
  headers: Readonly<Record<string, string>>,
  origin: "producer" | "program" | "runtime" = "producer",
): string {
  const body = JSON.stringify({ name: "mail", payload: null });
  const read = readEnvelope(messageOf(body, { headers, origin }));
  return read.ok ? "taken" : `${read.reason}: ${read.error.message}`;
}

test.each([
  { title: "as many as there may be", headers: many(1_000) },
  { title: "as much as there may be", headers: taking(40 * KIB) },
  { title: "as much of other letters", headers: taking(40 * KIB, "ß") },
])("what an enqueue takes is read, traced with baggage: $title", ({ headers }) => {
  expect(enqueued(headers)).toBe("taken");
  expect(received({ ...headers, ...ADDED })).toBe("taken");
  expect(received({ ...headers, ...ADDED }, "program")).toBe("taken");
});

test.each([
  { title: "one more", headers: many(1_001), says: "headers must be at most 1000" },
  { title: "a byte more", headers: { ...taking(40 * KIB), y: "" }, says: "at most 40960 bytes" },
  {
    title: "letters of two bytes",
    headers: { x: "ß".repeat(20_600) },
    says: "at most 40960 bytes",
  },
])("an enqueue refuses $title", ({ headers, says }) => {
  expect(enqueued(headers)).toContain(says);
});

test.each([
  { title: "too many", headers: many(1_101), says: "at most 1100" },
  { title: "too much", headers: taking(51 * KIB), says: "at most 51200 bytes" },
  {
    title: "too much of the server's own",
    headers: { "nats-x": "v".repeat(51_200) },
    says: "51200",
  },
])("a client of another hand is refused $title", ({ headers, says }) => {
  expect(received(headers)).toMatch(new RegExp(`^invalid-envelope: headers must .*${says}`));
});

test("a job that comes again may have its gate's name besides, and no more than can be published once more", () => {
  const woken = { ...taking(40 * KIB), ...ADDED, "millrace-gate": "g".repeat(6 * KIB) };
  expect(received(woken, "runtime")).toBe("taken");
  expect(received(taking(61 * KIB), "runtime")).toContain("at most 61440 bytes");
});
