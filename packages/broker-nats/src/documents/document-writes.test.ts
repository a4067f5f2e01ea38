import { MillraceError, systemClock } from "@millrace/core";
import { expect, test } from "vitest";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import { JetStreamRefusal } from "../publish/pub-ack.ts";
import type { LastMessage, LeaderReads } from "../reads/leader-reads.ts";
import { writeOnce } from "./document-writes.ts";

const NOT_AGREED_ON = 10164;
const WRONG_SEQUENCE = 10071;
const write = { stream: "KV_b", subject: "$KV.b.k", data: new Uint8Array(), expected: 0 };

function refused(errCode: number): MillraceError {
  return new MillraceError("conflict", "Someone else changed the subject first.", {
    cause: new JetStreamRefusal(errCode, "wrong last sequence"),
  });
}

/** One that is refused so, one time after the other, and finds this there. */
function wires(refusals: readonly number[], last: Partial<LastMessage> | undefined) {
  const sent: Readonly<Record<string, unknown>>[] = [];
  const publisher = {
    publish: (_subject: string, _data: Uint8Array, headers: Readonly<Record<string, unknown>>) => {
      const code = refusals[sent.length];
      sent.push(headers);
      return code === undefined ? Promise.resolve({ sequence: 9 }) : Promise.reject(refused(code));
    },
  } as unknown as ConfirmedPublisher;
  let looks = 0;
  const reads = {
    // There once the second was sent.
    last: () => Promise.resolve((looks += 1) === 1 ? undefined : last),
  } as unknown as LeaderReads;
  return { sent, publisher, reads, clock: systemClock, nameWrite: () => "w.1" };
}

test("what a leader that was cut off refuses may be stored by the next one, and is then known again", async () => {
  const own = { sequence: 2, write: "w.1" };
  const given = wires([NOT_AGREED_ON, WRONG_SEQUENCE], own);
  expect(await writeOnce(given, write)).toBe(2);
  expect(given.sent).toHaveLength(2);
});

test("another's write there is a conflict", async () => {
  const others = { sequence: 2, write: "x.1" };
  await expect(
    writeOnce(wires([NOT_AGREED_ON, WRONG_SEQUENCE], others), write),
  ).rejects.toMatchObject({ code: "conflict" });
});

test("a first refusal by what is agreed on is told without a look", async () => {
  const given = wires([WRONG_SEQUENCE], { sequence: 2, write: "w.1" });
  await expect(writeOnce(given, write)).rejects.toMatchObject({ code: "conflict" });
  expect(given.sent).toHaveLength(1);
});

test("what is older than what was read before is nobody's write: who answers so was replaced", async () => {
  const before = { sequence: 2, write: "x.1" };
  const given = wires([NOT_AGREED_ON, WRONG_SEQUENCE], before);
  const reads = { last: () => Promise.resolve(before) } as unknown as LeaderReads;
  expect(await writeOnce({ ...given, reads }, { ...write, expected: 5 })).toBe(9);
  expect(given.sent).toHaveLength(3);
});
