import { expect, test } from "vitest";
import { followingJob } from "../envelope/chain-link.ts";
import { UNSETTLED, type Envelope } from "../envelope/envelope.ts";
import { linkOutOfReach, needsProgramDoor } from "./reach.ts";

const NOW = 1_700_000_000_000;
const to = (...queues: string[]) => queues.map((queue) => ({ name: "job", queue }));
const job = (more: Partial<Envelope>): Envelope => ({
  ...UNSETTLED,
  id: "a",
  name: "job",
  queue: "mail",
  payload: null,
  createdAt: NOW,
  headers: {},
  ...more,
});
const sendsTo = (queue: string): readonly string[] => (queue === "mail" ? ["print"] : []);

test.each([
  ["a job that nothing follows", { sentFrom: "mail" }, undefined],
  ["a program's job, wherever it goes on", { next: to("payments") }, undefined],
  ["the same queue", { sentFrom: "mail", next: to("mail", "mail") }, undefined],
  ["a queue that the operator allows", { sentFrom: "mail", next: to("mail", "print") }, undefined],
  ["another queue", { sentFrom: "mail", next: to("payments") }, "payments"],
  ["another queue, however far behind", { sentFrom: "mail", next: to("print", "pay") }, "pay"],
  ["from where it was sent on to", { queue: "print", sentFrom: "mail", next: to("x") }, "x"],
  ["back to where it came from", { queue: "print", sentFrom: "mail", next: to("mail") }, undefined],
])("%s", (_what, more, queue) => {
  expect(linkOutOfReach(job(more), sendsTo)?.queue).toBe(queue);
});

test("only a chain into another queue takes the programs' door", () => {
  expect(needsProgramDoor(job({}))).toBe(false);
  expect(needsProgramDoor(job({ next: to("mail") }))).toBe(false);
  expect(needsProgramDoor(job({ next: to("mail", "print") }))).toBe(true);
});

test("who wrote a job stays with what follows it, and its ids in another queue are its own", () => {
  const next = [{ id: "order-77", ...to("print")[0], name: "job", queue: "print" }, ...to("mail")];
  const first = followingJob(job({ sentFrom: "mail", next }), { output: 1, at: NOW });
  expect(first).toMatchObject({ queue: "print", id: "from:mail:order-77", sentFrom: "mail" });
  const second = followingJob(first as Envelope, { output: 1, at: NOW });
  expect(second).toMatchObject({ queue: "mail", sentFrom: "mail" });
  // A program's are as it chose them.
  expect(followingJob(job({ next }), { output: 1, at: NOW })).toMatchObject({ id: "order-77" });
  expect(followingJob(job({ next }), { output: 1, at: NOW })).not.toHaveProperty("sentFrom");
});

test("an id that grows too long in another queue still says whose it is", () => {
  const long = "x".repeat(127);
  const ids = ["a", "b"].map((end) => {
    const next = [{ id: long + end, name: "job", queue: "print" }];
    return followingJob(job({ sentFrom: "mail", next }), { output: 1, at: NOW })?.id ?? "";
  });
  expect(ids[0]).toMatch(/^from:mail:/);
  expect(ids[0]).not.toBe(ids[1]);
  for (const id of ids) expect(id.length).toBeLessThanOrEqual(128);
});
