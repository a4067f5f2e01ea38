import { beforeAll, expect, it } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { passwordServer } from "../permissions/roles.ts";
import { type Bank, openBank } from "./bank.ts";

const ROOM = 50;
/** Of the node. Those of them that are decided on while it counts may come on top. */
const SLOTS = 16;
const FAR_MS = 300 * 86_400_000;

describeEachServer(
  "a producer parks no more than its queue has room for",
  (server) => {
    let bank: Bank;
    beforeAll(async () => {
      bank = await openBank(server);
      await bank.operator.queues.set("mail", { maxJobs: ROOM });
    });
    /** A refusal has no place in the stream. */
    const send = async (job: object) => ((await bank.send(job)).seq ?? 0) > 0;
    const mail = () => bank.operator.queues.snapshot("mail");

    /** As often as it takes: the queue is full while the node is slower than the producer. */
    async function push(job: object): Promise<void> {
      await eventually(() => send(job), {
        withinMs: 20_000,
        describe: "there is room in the queue",
      });
    }

    it("for a start that is far away: the rest are dead letters, and what is due runs", async () => {
      const notBefore = Date.now() + FAR_MS;
      for (let n = 0; n < 200; n += 1)
        await push({ id: `far-${n}`, name: "mail.send", payload: n, notBefore });
      await push({ id: "due", name: "mail.send", payload: "due" });
      expect(await bank.end("due")).toBe("succeeded");
      await eventually(async () => (await mail()).queued + (await mail()).running === 0, {
        withinMs: 20_000,
        describe: "the queue is empty",
      });
      const { delayed, dead } = await mail();
      expect(delayed).toBeGreaterThanOrEqual(ROOM);
      expect(delayed).toBeLessThanOrEqual(ROOM + SLOTS);
      expect(delayed + dead).toBe(200);
      expect(await bank.end("far-199")).toBe("dead: parked-full");
      expect(await bank.operator.dead.show("far-199")).toMatchObject({
        attempts: 0,
        error: { message: expect.stringContaining("--max-parked") as string },
      });
    });

    it("and what ran comes back for its retry all the same", async () => {
      const { delayed } = await mail();
      await push({ id: "flaky", name: "mail.flaky", payload: 0 });
      expect(await bank.end("flaky")).toBe("succeeded");
      expect(await mail()).toMatchObject({ delayed });
    });

    it("at a gate: the queue fills, its producer is refused, and all that was taken runs once", async () => {
      const taken: string[] = [];
      // One runs, others are blocked or in the node's hands; the rest lie in the queue.
      const most = 1 + (ROOM + SLOTS) + SLOTS + ROOM;
      /** In a row, each after a look at the queue: then the node has passed on what it can. */
      let refused = 0;
      let blocked = 0;
      for (let n = 0; refused < 20; n += 1) {
        const id = `blocked-${n}`;
        if (await send({ id, name: "mail.capped", payload: { key: "one" } })) {
          taken.push(id);
          refused = 0;
          expect(taken.length).toBeLessThanOrEqual(most);
        } else refused += 1;
        ({ blocked } = await mail());
      }
      expect(blocked).toBeGreaterThanOrEqual(ROOM);
      expect(blocked).toBeLessThanOrEqual(ROOM + SLOTS);
      bank.open();
      await eventually(
        async () => {
          const { queued, running, blocked: still } = await mail();
          return queued + running + still === 0;
        },
        { withinMs: 60_000, describe: "all of them have ended" },
      );
      const ran = bank.ran.flatMap(({ id, name }) => (name === "mail.capped" ? [id] : []));
      expect(ran.toSorted()).toEqual(taken.toSorted());
    });
  },
  { ...passwordServer(), undisturbed: "its producer is a bare client, which doesn't send again" },
);
