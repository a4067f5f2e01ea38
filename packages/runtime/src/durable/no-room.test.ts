import { expect, test } from "vitest";
import { document, hosted, NOW } from "./hosted-machine.fixture.ts";
import { sizeOf } from "./machine-size.ts";

const timer = { at: NOW, event: { type: "GROW" } };
const large = { ...document, tickAt: NOW, timers: { week: timer } };
const maxMessageBytes = sizeOf(large) - 1;
const note = "x".repeat(1_000);

test("a timer fires in a machine that an older node stored with no room left for a refusal", async () => {
  const host = await hosted(large, { maxMessageBytes });
  await host.tick(Buffer.from(JSON.stringify({ run: "r", rev: 1 })), 3);
  const stored = await host.stored();
  expect(stored).toMatchObject({ rev: 2, timers: {}, context: { note } });
  expect(stored?.trouble).toBeUndefined();
});

test("an event that leaves no room for a refusal is refused", async () => {
  const host = await hosted(large, { maxMessageBytes });
  await host.take("GROW", 3);
  expect(await host.stored()).toMatchObject({
    ...{ cursor: 3, context: {}, trouble: { error: { type: "payload-too-large" } } },
  });
});
