import {
  type Envelope,
  messageIdOf,
  MillraceError,
  type StoredDeadLetter,
  UNSETTLED,
  writeEnvelope,
} from "@millrace/core";
import { expect, test } from "vitest";
import { editedEnvelope, letterAfterLife, readLetter, revivedEnvelope } from "./dead-retry.ts";

const ENVELOPE: Envelope = {
  id: "j",
  name: "n",
  queue: "q",
  payload: { a: 1 },
  createdAt: 5,
  headers: {},
  ...UNSETTLED,
  attempts: 5,
  generation: 6,
  crashes: 1,
  interruptions: 2,
  snoozes: 3,
  maxAttempts: 5,
  lastError: { type: "Error", message: "no" },
  firstError: { type: "Error", message: "no" },
};

function letter(body: Uint8Array, headers: Record<string, string> = {}): StoredDeadLetter {
  return {
    id: "j",
    queue: "q",
    reason: "attempts-exhausted",
    attempts: 5,
    at: 10,
    node: "node",
    body,
    headers,
    sequence: 3,
  };
}

test("the producer's fields stay, the settler's are at zero, and the generation goes on", () => {
  expect(revivedEnvelope(letter(writeEnvelope(ENVELOPE), { tenant: "t" }), 100)).toEqual({
    id: "j",
    name: "n",
    queue: "q",
    payload: { a: 1 },
    createdAt: 5,
    maxAttempts: 5,
    headers: { tenant: "t" },
    ...UNSETTLED,
    life: 1,
    generation: 2_048,
    runnableAt: 100,
    // It is not known who wrote it.
    sentFrom: "q",
  });
});

test("what another run of the life before has published can't be taken for the new life", () => {
  const next = (generation: number): string =>
    messageIdOf(revivedEnvelope(letter(writeEnvelope({ ...ENVELOPE, generation })), 100));
  for (const generation of [0, 6, 1_023, 1_024]) {
    const published = new Set<string>();
    for (let ahead = 0; ahead <= 1_000; ahead += 1)
      published.add(messageIdOf({ id: "j", generation: generation + ahead }));
    expect(published).not.toContain(next(generation));
  }
  // Two runs may have buried it: two letters of one life are one new life.
  expect(next(3)).toBe(next(4));
});

test("of a producer's job nothing is believed that is the runtime's to write", () => {
  const forged = {
    ...ENVELOPE,
    generation: 2 ** 22,
    cancelled: "mine",
    life: 9,
    sentFrom: "payments",
    reservedAt: 7,
    runnableAt: 8,
  };
  const revived = (door: "producer" | "program" | "runtime"): Envelope =>
    revivedEnvelope({ ...letter(writeEnvelope(forged)), door }, 100);
  expect(revived("producer")).toEqual({
    id: "j",
    name: "n",
    queue: "q",
    payload: { a: 1 },
    createdAt: 5,
    maxAttempts: 5,
    headers: {},
    ...UNSETTLED,
    life: 1,
    generation: 2_048,
    runnableAt: 100,
    sentFrom: "q",
  });
  expect(revived("program").sentFrom).toBeUndefined();
  expect(revived("runtime")).toMatchObject({ sentFrom: "payments", generation: 2 ** 22 + 2_048 });
  expect(revived("runtime")).not.toHaveProperty("cancelled");
});

test("a letter that is put back has its place in chain and batch from the life that was taken back", () => {
  const closes = {
    ...{ id: "b", total: 1, succeeded: 1, dead: 0, expired: 0, cancelled: 0, refused: 0 },
  };
  const placed = { ...ENVELOPE, follows: { id: "before", queue: "q" }, closes, effectsOf: 3 };
  const putBack = (door: Pick<StoredDeadLetter, "door">): Envelope => {
    const old = { ...letter(writeEnvelope(placed)), ...door };
    const again = letterAfterLife(old, revivedEnvelope(old, 100), {});
    return readLetter({ ...again, sequence: 4 }, {});
  };
  // It is not known who wrote it.
  expect(putBack({})).not.toHaveProperty("follows");
  expect(putBack({})).not.toHaveProperty("closes");
  expect(putBack({})).not.toHaveProperty("effectsOf");
  expect(putBack({ door: "runtime" })).toMatchObject({
    ...{ follows: placed.follows, closes, effectsOf: 3 },
  });
});

test("a generation of which no token can be made is nobody's", () => {
  const forged = writeEnvelope({ ...ENVELOPE, generation: 2 ** 40 });
  expect(revivedEnvelope(letter(forged), 100)).toMatchObject({ generation: 2_048, sentFrom: "q" });
});

test("what has passed is left out, what lies ahead is kept", () => {
  const revive = (now: number): Envelope =>
    revivedEnvelope(letter(writeEnvelope({ ...ENVELOPE, notBefore: 50, expiresAt: 60 })), now);
  expect(revive(100)).not.toHaveProperty("expiresAt");
  expect(revive(100)).not.toHaveProperty("notBefore");
  expect(revive(40)).toMatchObject({ notBefore: 50, expiresAt: 60 });
});

test("a job without an id of its own keeps the one it got", () => {
  const body = new TextEncoder().encode('{"name":"n","payload":1}');
  expect(revivedEnvelope(letter(body), 100)).toMatchObject({
    id: "j",
    generation: 2_048,
    runnableAt: 100,
    payload: 1,
  });
});

test.each(["retried", "edited", "made anew", "put back"])(
  "a job without createdAt that is %s was created when it was stored, not when it died",
  (how) => {
    const body = how === "made anew" ? "{" : '{"name":"n","payload":1}';
    const dead: StoredDeadLetter = {
      ...letter(new TextEncoder().encode(body)),
      ...{ name: "n", door: "producer", firstStoredAt: 7 },
    };
    const next = (of: StoredDeadLetter): Envelope =>
      how === "retried" || how === "put back"
        ? revivedEnvelope(of, 100)
        : editedEnvelope(of, {}, 100);
    const again = how === "put back" ? letterAfterLife(dead, next(dead), {}) : dead;
    expect(next({ ...again, sequence: 4 })).toMatchObject({ createdAt: 7, runnableAt: 100 });
  },
);

test("a producer's nonsense in the settler's fields does not stand in the way", () => {
  const body = new TextEncoder().encode('{"name":"n","payload":1,"attempts":"many"}');
  expect(revivedEnvelope(letter(body), 100)).toMatchObject({
    id: "j",
    attempts: 0,
    generation: 2_048,
    runnableAt: 100,
  });
});

test("bytes that are no job are refused with the reason", () => {
  const act = (): Envelope => revivedEnvelope(letter(new TextEncoder().encode("{")), 100);
  expect(act).toThrow(MillraceError);
  expect(act).toThrow(/can't be retried as it stands/);
});

test("an edited job whose start time is too far ahead loses that alone", () => {
  const ties = { uniqueKey: "k", parent: { id: "p", queue: "q" }, maxAttempts: 3 };
  const far = { ...ENVELOPE, ...ties, notBefore: 1e13 };
  const edited = editedEnvelope(letter(writeEnvelope(far)), { b: 2 }, 100);
  expect(edited).toMatchObject({ ...ties, payload: { b: 2 }, generation: 2_048 });
  expect(edited).not.toHaveProperty("notBefore");
});

test("an edited job is the revived one with another payload", () => {
  const dead = letter(writeEnvelope(ENVELOPE), { tenant: "t" });
  expect(editedEnvelope(dead, { b: 2 }, 100)).toEqual({
    ...revivedEnvelope(dead, 100),
    payload: { b: 2 },
  });
});

test.each(["retried", "edited", "made anew"])(
  "the next life of a %s letter is of the same enqueue",
  (how) => {
    const first = { firstStoredAt: 7, unkeyed: 3 };
    const body = how === "made anew" ? new Uint8Array([0xc1]) : writeEnvelope(ENVELOPE);
    const dead = { ...letter(body), name: "n", ...first };
    const next = how === "retried" ? revivedEnvelope(dead, 100) : editedEnvelope(dead, {}, 100);
    expect(next).toMatchObject({ life: 1, ...first });
  },
);

test("bytes that can't be read are made anew where the job's name is known", () => {
  const broken = letter(new Uint8Array([0xc1]));
  expect(editedEnvelope({ ...broken, name: "n" }, { b: 2 }, 100)).toEqual({
    ...UNSETTLED,
    id: "j",
    name: "n",
    queue: "q",
    payload: { b: 2 },
    createdAt: 100,
    runnableAt: 100,
    headers: {},
    generation: 1,
    life: 1,
    sentFrom: "q",
  });
  expect(() => editedEnvelope(broken, {}, 100)).toThrow(
    expect.objectContaining({ code: "invalid-envelope" }),
  );
});

test("what is made anew goes on counting where its first life was published again", () => {
  const headers = { "nats-msg-id": "millrace/j/6" };
  const broken = { ...letter(new Uint8Array([0xc1]), headers), name: "n" };
  expect(editedEnvelope({ ...broken, door: "runtime" }, {}, 100)).toMatchObject({
    ...{ id: "j", generation: 2_048, life: 1 },
  });
  for (const door of [undefined, "producer"] as const)
    expect(editedEnvelope({ ...broken, ...(door && { door }) }, {}, 100).generation).toBe(1);
});

test("what is made anew was made when its first life was, as far as that can be read", () => {
  const body = new TextEncoder().encode('{"name":"n","payload":1,"createdAt":5,"maxAttempts":0}');
  const dead = { ...letter(body), name: "n", firstStoredAt: 7 };
  expect(editedEnvelope(dead, {}, 100)).toMatchObject({ createdAt: 5, firstStoredAt: 7 });
});

test("a letter whose start lies too far ahead is not retried into a far year", () => {
  const { generation: _settled, ...producers } = ENVELOPE;
  const body = writeEnvelope({ ...producers, generation: 0, notBefore: 100 + 366 * 86_400_000 });
  const now = 50;
  for (const door of ["producer", "runtime"] as const)
    expect(() => revivedEnvelope({ ...letter(body), door, at: now }, now)).toThrow(
      expect.objectContaining({
        code: "invalid-envelope",
        message: expect.stringMatching(/notBefore.*366d ahead.*maxDelay/) as string,
      }),
    );
  expect(
    revivedEnvelope(letter(body), now, { maxDelayMs: 400 * 86_400_000 }).notBefore,
  ).toBeGreaterThan(now);
});
