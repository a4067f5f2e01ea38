import { createTestRuntime } from "millrace/testing";
import { expect, test } from "vitest";
import { onClick, signatureOf } from "./approval-links.ts";
import { approval, order, orderIn, type Shop } from "./approved-order.ts";

function shopOf(did: string[]): Shop {
  return {
    charge: async (cents) => (did.push(`charge ${cents}`), { payment: "p-1" }),
    askManager: async (_order, links) => void did.push(`ask ${links.join(" ")}`),
    ship: async (id) => (did.push(`ship ${id}`), { parcel: "z-1" }),
    refund: async (payment) => void did.push(`refund ${payment}`),
  };
}

async function scene() {
  const did: string[] = [];
  const t = await createTestRuntime({
    jobs: [orderIn(shopOf(did), "https://shop.example/answer")],
  });
  const handle = await t.enqueue(order, { order: "17", cents: 1_900 }, { id: "o-17" });
  await t.clock.advance("1s");
  return { t, did, handle };
}

test("the manager's yes, given twice, ships the order once", async () => {
  const { t, did, handle } = await scene();
  await using _ = t;
  const { steps } = await t.assertState(handle, "delayed");
  expect(steps?.at(-1)).toMatchObject({ name: "approval", state: "waiting" });
  for (let click = 0; click < 2; click += 1)
    await t.client.signal(order, "o-17", approval, { ok: true, by: "ada" }, { id: "click-o-17" });
  await t.clock.advance("1s");
  const { result } = await t.assertSucceeded(handle);
  expect(result).toEqual({ state: "approved by ada", parcel: "z-1" });
  expect(did).toEqual([
    "charge 1900",
    "ask https://shop.example/answer/o-17/yes https://shop.example/answer/o-17/no",
    "ship 17",
  ]);
});

test("a no gives the money back", async () => {
  const { t, did, handle } = await scene();
  await using _ = t;
  await t.client.signal(order, "o-17", approval, { ok: false, by: "ada" });
  await t.clock.advance("1s");
  expect((await t.assertSucceeded(handle)).result).toEqual({ state: "refused by ada" });
  expect(did.at(-1)).toBe("refund p-1");
});

test("a signed link answers once, whichever is clicked first; a forged one does not", async () => {
  const { t, handle } = await scene();
  await using _ = t;
  const click = (answer: string, signature = signatureOf("secret", "o-17", answer)) =>
    onClick(t.client, "secret", { id: "o-17", answer, signature });
  expect(await click("yes", signatureOf("guess", "o-17", "yes"))).toBe(403);
  expect([await click("no"), await click("yes")]).toEqual([200, 200]);
  await t.clock.advance("1s");
  expect((await t.assertSucceeded(handle)).result).toEqual({ state: "refused by the link" });
  expect(await click("yes")).toBe(410);
});
