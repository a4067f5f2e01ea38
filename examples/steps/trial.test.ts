import { createTestRuntime } from "millrace/testing";
import { expect, test } from "vitest";
import { type Shop, trial, trialIn } from "./trial.ts";

class CardDeclined extends Error {
  override readonly name = "CardDeclined";
}

/** Writes down what it does; the first mails, and each charge, fail as they are told to. */
function shopWith({ mailFails = 0, declines = false }, did: string[]): Shop {
  let failures = mailFails;
  return {
    createAccount: async (email) => {
      did.push(`create ${email}`);
      return { id: "ada-1" };
    },
    mail: async (to) => {
      did.push(`mail ${to}`);
      if (failures-- > 0) throw new Error("the mail server is busy");
    },
    charge: async (account) => {
      did.push(`charge ${account}`);
      if (declines) throw new CardDeclined("no money");
      return { receipt: "r-1" };
    },
    close: async (account) => void did.push(`close ${account}`),
  };
}

test("an account is made once, though the mail fails twice, and charged after its free time", async () => {
  const did: string[] = [];
  await using t = await createTestRuntime({
    jobs: [trialIn(shopWith({ mailFails: 2 }, did), "2h")],
  });
  const handle = await t.enqueue(trial, { email: "ada@example.com" });
  await t.clock.advance("1h");
  expect(did).toEqual(["create ada@example.com", ...Array(3).fill("mail ada@example.com")]);
  const { steps } = await t.assertState(handle, "delayed");
  expect(steps?.map(({ name, state }) => `${name}: ${state}`)).toEqual([
    "create account: done",
    "welcome: done",
    "free weeks: sleeping",
  ]);

  await t.clock.advance("2h");
  const { result } = await t.assertSucceeded(handle);
  expect(result).toEqual({ account: "ada-1", receipt: "r-1" });
  expect(did.slice(4)).toEqual(["charge ada-1"]);
});

test("a declined card closes the account", async () => {
  const did: string[] = [];
  await using t = await createTestRuntime({
    jobs: [trialIn(shopWith({ declines: true }, did), "2h")],
  });
  const handle = await t.enqueue(trial, { email: "ada@example.com" });
  await t.clock.advance("2h");
  await t.clock.advance("1m");
  const { result } = await t.assertSucceeded(handle);
  expect(result).toEqual({ account: "ada-1", closed: true });
  expect(did.slice(2)).toEqual(["charge ada-1", "close ada-1"]);
});
