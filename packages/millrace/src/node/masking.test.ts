import { defineJob, type Logger, UNSETTLED } from "@millrace/core";
import { MemoryBroker, SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { connectNode } from "./connect-node.ts";

function notingLogger(lines: unknown[], bound: object = {}): Logger {
  const note = (fields: object, message: string) =>
    void lines.push({ ...bound, ...fields, message });
  return {
    debug: note,
    info: note,
    warn: note,
    error: note,
    child: (fields) => notingLogger(lines, { ...bound, ...fields }),
  };
}

test("a node masks what is logged and recorded by its configuration, and hands the payload over as it is", async () => {
  const clock = new SimulatedClock();
  const broker = new MemoryBroker({ clock });
  const lines: unknown[] = [];
  let seen: unknown;
  const job = defineJob<{ password: string; iban: string }>({
    name: "pay",
    queue: "work",
    retry: "none",
  }).handler(({ input, log }) => {
    seen = input;
    log.info({ input }, `paying for EMP-17, password=${input.password}`);
    throw new Error(`the bank refused password=${input.password} of EMP-17`);
  });
  const { node, close } = await connectNode({
    broker,
    clock,
    jobs: [job],
    env: { MILLRACE_MASK_KEYS: "iban", MILLRACE_MASK_PATTERNS: String.raw`\bEMP-\d{2,4}\b` },
    log: notingLogger(lines),
  });
  await node.start();
  const payload = { password: "hunter2", iban: "DE02" };
  const createdAt = clock.now();
  await broker.enqueue([
    { ...UNSETTLED, id: "a", name: "pay", queue: "work", payload, createdAt, headers: {} },
  ]);
  await clock.advance("1s");
  expect(seen).toEqual(payload);
  expect(lines).toContainEqual({
    node: node.name,
    job: "a",
    name: "pay",
    queue: "work",
    attempt: 1,
    input: { password: "***", iban: "***" },
    message: "paying for ***, password=***",
  });
  const refused = "the bank refused password=*** of ***";
  expect(await broker.history.read({ id: "a" })).toMatchObject([{ error: { message: refused } }]);
  const [letter] = await broker.deadLetters.list();
  expect(letter?.error).toMatchObject({ message: refused });
  expect(Buffer.from(letter?.body ?? []).toString("latin1")).toContain("hunter2");
  const stopped = node.stop();
  await clock.advance("1m");
  await stopped;
  await close();
});
