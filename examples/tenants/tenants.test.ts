import { createTestRuntime } from "millrace/testing";
import { expect, test } from "vitest";
import { monthlyReport, sendAll, sendInvoice } from "./invoices.ts";

const anHour = 3_600_000;

test("a tenant with two thousand invoices does not keep another one waiting, and has two sent at a time", async () => {
  const sending = new Map<string, number>();
  const most = new Map<string, number>();
  const sent: string[] = [];
  const send = sendInvoice.handler(async ({ input: { tenant, invoice } }) => {
    const now = (sending.get(tenant) ?? 0) + 1;
    sending.set(tenant, now);
    most.set(tenant, Math.max(most.get(tenant) ?? 0, now));
    await new Promise<void>((resolve) => void t.clock.setTimer(1_000, resolve));
    sending.set(tenant, now - 1);
    sent.push(`${tenant} ${invoice}`);
  });
  await using t = await createTestRuntime({ jobs: [send], slots: 4 });
  await sendAll(t.client, "colossus", 2_000);
  await sendAll(t.client, "corner-shop", 3);

  await t.clock.advance("3s");
  expect(sent.filter((one) => one.startsWith("corner-shop"))).toHaveLength(3);
  expect(most.get("colossus")).toBe(2);

  // Fifty at once, and fifty a minute from then on.
  await t.clock.advance("10m");
  const colossus = sent.filter((one) => one.startsWith("colossus")).length;
  expect(colossus).toBeGreaterThan(500);
  expect(colossus).toBeLessThanOrEqual(50 + 11 * 50);
});

test("a report that is asked for while one runs is skipped", async () => {
  let runs = 0;
  const report = monthlyReport.handler(async () => {
    runs += 1;
    await new Promise<void>((resolve) => void t.clock.setTimer(anHour, resolve));
  });
  await using t = await createTestRuntime({ jobs: [report] });
  await t.client.enqueue(monthlyReport, {});
  const second = await t.client.enqueue(monthlyReport, {});
  await t.clock.advance("1m");
  await t.assertState(second, "cancelled");
  await t.clock.advance("1h");
  expect(runs).toBe(1);
});
