// The fields that an error's class names, as the job's page has them.
import { defineJob, errorFields } from "millrace";
import { expect, test } from "vitest";
import { scene } from "./scene.ts";

class PaymentDeclined extends Error {
  static readonly [errorFields] = ["code", "apiKey"];
  override readonly name = "PaymentDeclined";
  readonly code = "card_declined";
  readonly apiKey = "k-1234567890";
  readonly request = "the whole of it";
}

test("attempts and dead letters have them, masked", async () => {
  const pay = defineJob({ name: "pay", queue: "payments", retry: "none" });
  const handler = pay.handler(() => Promise.reject(new PaymentDeclined("declined")));
  const { get, t } = await scene({ jobs: [handler] });
  await t.enqueue(pay, {}, { id: "p1" });
  await t.clock.advance("1s");
  const error = { type: "PaymentDeclined", fields: { code: "card_declined", apiKey: "***" } };
  const job = await get("jobs/payments/p1");
  expect(job).toMatchObject({ history: [{ error }], letter: { error } });
  expect(JSON.stringify(job)).not.toMatch(/k-1234567890|the whole of it/);
});
