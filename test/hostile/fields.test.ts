import { beforeAll, expect, it } from "vitest";
import { describeEachServer } from "../harness/servers.ts";
import { passwordServer } from "../permissions/roles.ts";
import { type Bank, openBank, transfer } from "./bank.ts";

const YEAR_10000 = 253_402_300_800_000;
const link = { name: "mail.send", queue: "mail" };

/** What becomes of it: how it ends under the id it has, or under the one that it is filed by. */
type Attack = readonly [what: string, fields: object, end: string];

const ATTACKS: readonly Attack[] = [
  ["attempts, generation and crashes", { attempts: 9, generation: 4, crashes: 9 }, "succeeded"],
  ["a generation beyond every token", { generation: 2 ** 52 }, "succeeded"],
  ["a cancellation of its own", { cancelled: "by nobody" }, "succeeded"],
  ["a place at a rate", { reservedAt: 1 }, "succeeded"],
  ["another queue as its origin", { sentFrom: "payments" }, "succeeded"],
  [
    "another queue as its origin, for what follows",
    { sentFrom: "payments", next: [{ name: "payments.transfer", queue: "payments" }] },
    "dead: next-not-allowed",
  ],
  [
    "another queue behind its own",
    { next: [link, link, { name: "payments.transfer", queue: "payments" }] },
    "dead: next-not-allowed",
  ],
  [
    "a queue that does not exist",
    { next: [{ name: "x", queue: "nowhere" }] },
    "dead: next-not-allowed",
  ],
  ["a queue that is a pattern", { next: [{ name: "x", queue: ">" }] }, "dead: invalid-envelope"],
  [
    "more followers than there may be",
    { next: Array.from({ length: 101 }, () => link) },
    "dead: invalid-envelope",
  ],
  [
    "a follower's id that is two tokens",
    { next: [{ ...link, id: "a.b" }] },
    "dead: invalid-envelope",
  ],
  ["a handler of another queue", { name: "payments.transfer" }, "dead: unknown-name"],
  ["a handler called __proto__", { name: "__proto__" }, "dead: unknown-name"],
  ["a handler called constructor", { name: "constructor" }, "dead: unknown-name"],
  ["a batch that is a pattern", { batch: "*" }, "dead: invalid-envelope"],
  ["a batch that is two tokens", { batch: "a.job" }, "dead: invalid-envelope"],
  ["a batch that is nobody's", { batch: "nobodys" }, "succeeded"],
  ["a parent in another queue", { parent: { id: "p", queue: "payments" } }, "succeeded"],
  ["a parent that is none", { parent: { id: "a/b", queue: "payments" } }, "dead: invalid-envelope"],
  ["a time beyond all", { notBefore: YEAR_10000 }, "dead: invalid-envelope"],
  ["a creation before all time", { createdAt: 0 }, "succeeded"],
  ["a creation in the year 9999", { createdAt: YEAR_10000 - 1 }, "succeeded"],
  ["no attempts", { maxAttempts: 0 }, "dead: invalid-envelope"],
  ["a later protocol", { v: 2, generation: 7 }, "dead: unsupported-version"],
  [
    "the key of another queue's job",
    { uniqueKey: "theirs", concurrencyKey: "theirs" },
    "succeeded",
  ],
];

describeEachServer(
  "what a producer writes into a job",
  (server) => {
    let bank: Bank;
    beforeAll(async () => {
      bank = await openBank(server);
    });

    it.each(ATTACKS)("%s", async (what, fields, end) => {
      const id = what.replace(/[^a-z0-9]/gi, "-");
      const ack = await bank.send({ id, name: "mail.send", payload: null, ...fields });
      expect(ack).toMatchObject({ stream: "millrace-queue-mail" });
      expect(await bank.end(id)).toBe(end);
      const runs = bank.ran.filter((one) => one.id === id);
      expect(runs.map(({ attempt }) => attempt)).toEqual(end === "succeeded" ? [1] : []);
      expect(bank.paid()).toEqual([]);
    });

    it.each(["", "a.b", "*", ">", "a b", "x".repeat(129), "ä", "millrace/a/1", "../mail"])(
      "the id %j is filed by its place in the queue, and nowhere else",
      async (id) => {
        const { seq } = await bank.send({ id, name: "mail.send", payload: null });
        expect(await bank.end(`mail-${seq}`)).toBe("dead: invalid-envelope");
      },
    );

    it("nobody makes their job one of a chain, or the callback of a batch", async () => {
      const counts = { total: 1, succeeded: 1, dead: 0, expired: 0, cancelled: 0, refused: 0 };
      const forged = {
        follows: { id: "theirs", queue: "payments" },
        closes: { id: "b", ...counts },
      };
      for (const name of ["mail.send", "mail.flaky"]) {
        const id = `placed-${name.replace(".", "-")}`;
        await bank.send({ id, name, payload: null, ...forged });
        await bank.end(id);
        const { history, ...job } = await bank.operator.job(id, { queue: "mail" });
        for (const one of [job, ...history]) {
          expect(one).not.toHaveProperty("follows");
          expect(one).not.toHaveProperty("closes");
        }
      }
      expect(await bank.operator.batches.get("b")).toBeUndefined();
    });

    it("a key is a queue's own: another's job with the same is no duplicate, and does not wait", async () => {
      const unique = { key: "shared" };
      await bank.send({
        id: "holder",
        name: "mail.send",
        payload: null,
        notBefore: Date.now() + 60_000,
        uniqueKey: unique.key,
      });
      const theirs = await bank.operator.enqueue(
        transfer,
        { real: true },
        { id: "unique-1", unique },
      );
      expect(theirs.id).toBe("unique-1");
      expect(await theirs.result({ timeout: 20_000 })).toEqual({ real: true });
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
