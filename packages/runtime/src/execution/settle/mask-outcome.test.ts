import { cancel, defineJob } from "@millrace/core";
import { expect, test } from "vitest";
import { QUEUE, simulatedNode } from "../../fixtures/simulated-node.ts";
import { maskOutcome } from "./mask-outcome.ts";

const maskText = (text: string): string => text.replaceAll("hunter2", "***");
const error = { type: "Error", message: "pw hunter2", stack: "Error: pw hunter2\n at x" };
const masked = { type: "Error", message: "pw ***", stack: "Error: pw ***\n at x" };

test("errors and reasons are masked, and nothing else of an outcome changes", () => {
  expect(maskOutcome({ kind: "failed", error, retry: "never" }, maskText)).toEqual({
    kind: "failed",
    error: masked,
    retry: "never",
  });
  expect(maskOutcome({ kind: "timed-out", error }, maskText)).toMatchObject({ error: masked });
  expect(
    maskOutcome({ kind: "rejected", reason: "invalid-payload", error }, maskText),
  ).toMatchObject({ reason: "invalid-payload", error: masked });
  expect(maskOutcome({ kind: "cancelled", reason: "hunter2" }, maskText)).toEqual({
    kind: "cancelled",
    reason: "***",
  });
  const done = { kind: "succeeded", output: "hunter2" } as const;
  expect(maskOutcome(done, maskText)).toBe(done);
});

test("what is recorded, sent on and told of a failed attempt is masked; the payload is not", async () => {
  const seen: unknown[] = [];
  const told: unknown[] = [];
  const job = defineJob<string>({
    name: "t.job",
    queue: QUEUE,
    retry: { attempts: 2, backoff: "fixed", base: "1s", jitter: false },
  }).handler(({ input, job: envelope }) => {
    seen.push(input, envelope.lastError?.message);
    throw new Error(`wrong password ${input}`);
  });
  const { broker, clock, enqueue, history, node } = await simulatedNode({ jobs: [job], maskText });
  node.events.on("job.settled", (event) => void told.push(event.error?.message));
  await enqueue("t.job", "hunter2");
  await clock.advance("5s");
  expect(seen).toEqual(["hunter2", undefined, "hunter2", "wrong password ***"]);
  expect(JSON.stringify(await history())).not.toContain("hunter2");
  expect(told).toEqual(["wrong password ***", "wrong password ***"]);
  const [letter] = await broker.deadLetters.list();
  expect(letter?.error?.message).toBe("wrong password ***");
  expect(letter?.error?.stack).not.toContain("hunter2");
  expect(Buffer.from(letter?.body ?? []).toString("latin1")).toContain("hunter2");
});

test("a handler's reason for cancelling is masked too", async () => {
  const job = defineJob({ name: "t.job", queue: QUEUE }).handler(() => cancel("got hunter2"));
  const { enqueue, history } = await simulatedNode({ jobs: [job], maskText });
  await enqueue("t.job");
  expect(await history()).toMatchObject([{ state: "cancelled", reason: "got ***" }]);
});

test("a mask that throws, or makes a text endless, keeps no job from its end and lets no secret through", async () => {
  const throwing = (): string => {
    throw new Error("mask");
  };
  const failed = maskOutcome({ kind: "failed", error, retry: "never" }, throwing);
  expect(JSON.stringify(failed)).not.toContain("hunter2");
  const endless = maskOutcome({ kind: "failed", error, retry: "never" }, (text) =>
    text.repeat(100_000),
  );
  expect(JSON.stringify(endless).length).toBeLessThan(5_000);
  const job = defineJob({ name: "t.job", queue: QUEUE, retry: "none" }).handler(() =>
    Promise.reject(new Error("hunter2")),
  );
  const { enqueue, history } = await simulatedNode({ jobs: [job], maskText: throwing });
  await enqueue("t.job");
  expect(await history()).toMatchObject([{ state: "dead", error: { type: "Error" } }]);
});
