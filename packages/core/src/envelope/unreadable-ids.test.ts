import { expect, test } from "vitest";
import { calledBy, calledId } from "../ids/called-id.ts";
import { invokedBy, newInvokedId } from "../ids/invoked-id.ts";
import { envelopeOfUnreadable } from "../settlement/unreadable.ts";
import { callerHeader, callerOf } from "../ids/caller-header.ts";
import type { Envelope } from "./envelope.ts";
import { messageOf } from "./message.fixture.ts";
import type { QueueMessage } from "./message.ts";
import { readEnvelope } from "./read-envelope.ts";

const parent = { id: "p-1", queue: "payroll" };
const called = calledId({ createdAt: 1_700_000_000_000 }, "u-1");
const invoked = newInvokedId({ machine: "order", id: "o-17", run: "a1", number: 3 });

/** Of bytes that nobody can decode. */
function torn(
  origin: QueueMessage["origin"],
  headers: Record<string, string>,
  more: Partial<QueueMessage> = {},
): Envelope {
  const message = messageOf("{", { origin, headers, ...more });
  const read = readEnvelope(message);
  if (read.ok) throw new Error("it was read");
  return envelopeOfUnreadable(message, read);
}

test.each([
  ["millrace/j-1/3", "j-1", 3],
  ["millrace/j-1/3/1700000000000-4", "j-1", 3],
  ["mail/millrace/j-1/3", "j-1", 3],
  ["mail/millrace/j-1/3/1700000000000", "j-1", 3],
  ["j-1", "j-1", 0],
  ["other/millrace/j-1/3", "mail-7", 0],
  ["moved/2f6c", "mail-7", 0],
  ["millrace/j-1/99999999", "j-1", 0],
])("what the runtime publishes as %s is of the job %s", (messageId, id, generation) => {
  expect(torn("runtime", { "nats-msg-id": messageId })).toMatchObject({ id, generation });
});

test("a producer's message is of no job that its message id is made to name", () => {
  for (const messageId of ["millrace/j-1/3", "mail/millrace/j-1/3"])
    expect(torn("producer", { "nats-msg-id": messageId })).toMatchObject({
      ...{ id: "mail-7", generation: 0, sentFrom: "mail" },
    });
});

test("in a queue called millrace an id that says two jobs says none", () => {
  const more = { queue: "millrace" };
  const headers = { "nats-msg-id": "millrace/millrace/5/1" };
  expect(torn("runtime", headers, more).id).toBe("millrace-7");
});

test("a message on its job's own subject is of that job", () => {
  const headers = { "nats-msg-id": "millrace/j-1/3" };
  expect(torn("producer", headers, { key: "k-1" }).id).toBe("k-1");
  expect(torn("producer", headers, { key: "no id!" }).id).toBe("mail-7");
});

test.each([
  ["program", called],
  ["runtime", `millrace/${called}/2`],
] as const)("a called job tells its caller on the door %s", (origin, messageId) => {
  const caller = callerOf({ id: called, parent }) ?? "";
  const headers = { "nats-msg-id": messageId, "millrace-caller": caller };
  expect(calledBy(torn(origin, headers))).toEqual({ ...parent, createdAt: 1_700_000_000_000 });
  expect(callerHeader(headers)).toEqual({ "Millrace-Caller": "payroll/p-1" });
});

test("an invoked job tells its machine, published again too", () => {
  const headers = { "nats-msg-id": `millrace/${invoked}/2`, "millrace-caller": "machine" };
  expect(callerOf({ id: invoked })).toBe("machine");
  expect(invokedBy(torn("runtime", headers))).toMatchObject({ machine: "order", id: "o-17" });
  expect(invokedBy(torn("program", { "nats-msg-id": invoked }))).toMatchObject({ id: "o-17" });
});

test.each(["", "payroll", "pay roll/p-1", "payroll/p.1", "machine"])(
  "a caller that is none is told nothing: %j",
  (caller) => {
    const headers = { "nats-msg-id": called, "millrace-caller": caller };
    expect(torn("program", headers).parent).toBeUndefined();
  },
);

test("a producer's job tells nobody, whatever its id and headers say", () => {
  for (const id of [called, invoked]) {
    const headers = { "nats-msg-id": id, "millrace-caller": "payroll/p-1" };
    const sent = torn("producer", headers);
    expect(sent.parent).toBeUndefined();
    expect([calledBy(sent), invokedBy(sent)]).toEqual([undefined, undefined]);
    // The runtime has published it again, as what came in by its queue.
    const again = torn("runtime", { "nats-msg-id": `millrace/${id}/1` });
    expect(again).toMatchObject({ id, sentFrom: "mail" });
    expect([calledBy(again), invokedBy(again)]).toEqual([undefined, undefined]);
    expect(callerOf({ id, parent, sentFrom: "mail" })).toBeUndefined();
  }
});
