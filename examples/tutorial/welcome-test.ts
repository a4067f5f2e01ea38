import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestRuntime } from "millrace/testing";
import { welcome } from "./jobs.ts";
import { sendWelcome } from "./send-welcome.ts";

test("a welcome is sent at the second attempt", async () => {
  const t = await createTestRuntime({ jobs: [sendWelcome] });
  try {
    const job = await t.enqueue(welcome, { user: "ada" });
    await t.drain(); // moves the clock, so that nobody waits between the attempts
    const status = await t.assertSucceeded(job);
    assert.equal(status.attempts, 2);
    assert.equal(status.result, "sent to ada");
  } finally {
    await t.stop();
  }
});
