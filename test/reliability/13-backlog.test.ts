import { readFileSync } from "node:fs";
import { type Envelope, UNSETTLED } from "@millrace/core";
import { expect, it } from "vitest";
import { clusterMode, patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { Trial, type TrialNode } from "./harness/trial.ts";
import { aliveOverTime, livesOf } from "./oracle/alive.ts";
import { JOB, QUEUE } from "./programs/work.ts";

const LONG = process.env["MILLRACE_LONG"] === "1";
const JOBS = LONG ? 1_000_000 : 20_000;
const CHUNK = 10_000;
const LIMIT = 2;
/**
 * Of a node, over what it took when it had nothing to do. The same for twenty thousand and for a
 * million.
 */
const MORE_MB = 150;
/** Jobs that are passed over in a second, at the very least. */
const SLOWEST_SIFT = 1_000;

describeEachServer("13: a tenant's backlog behind a tiny cap, with delays mixed in", (server) => {
  it(
    "takes bounded memory, keeps no other tenant waiting, and loses nothing",
    { timeout: patient(LONG ? 3_600_000 : 180_000) },
    async () => {
      const trial = await Trial.start(server);
      const nodes = await Promise.all(
        ["a", "b"].map((name) =>
          trial.node(name, {
            cap: LIMIT,
            slots: 32,
            tells: "other",
            leaseMs: 10_000,
            // Without it a heap grows as long as the machine has room, whether anything is kept or
            // not.
            nodeOptions: ["--max-old-space-size=96", "--max-semi-space-size=8"],
          }),
        ),
      );
      const idleMb = nodes.map(residentMb);
      let mostMoreMb = 0;
      const weigh = (): void => {
        for (const [index, node] of nodes.entries())
          mostMoreMb = Math.max(mostMoreMb, residentMb(node) - (idleMb[index] as number));
      };

      for (let from = 0; from < JOBS; from += CHUNK) {
        await publish(
          trial,
          range(from, Math.min(CHUNK, JOBS - from)).map((n) => backlogJob(n)),
        );
        weigh();
      }
      // Behind all of them, while they are being passed over.
      const sentMs = performance.now();
      await publish(trial, [jobOf("other-early", "bolt")]);
      await heard(nodes, "other-early", (JOBS / SLOWEST_SIFT) * 1_000 + 40_000);
      const siftMs = performance.now() - sentMs;
      weigh();
      await eventually(
        async () => {
          weigh();
          return (await trial.broker.queues.snapshot(QUEUE)).queued === 0;
        },
        { withinMs: 60_000, everyMs: 200, describe: "all that may not run is blocked" },
      );
      // And now that they wait where they take nobody's place.
      const pickupsMs: number[] = [];
      for (let n = 0; n < 10; n += 1) {
        const fromMs = performance.now();
        await publish(trial, [jobOf(`other-${n}`, "bolt")]);
        await heard(nodes, `other-${n}`, 20_000);
        pickupsMs.push(performance.now() - fromMs);
      }
      pickupsMs.sort((a, b) => a - b);
      weigh();
      console.log(
        `${JOBS} jobs: another tenant's started ${Math.round(siftMs)} ms after them, then after ${Math.round(pickupsMs[5] as number)} ms at the median; ${Math.round(mostMoreMb)} MiB more at the most`,
      );
      expect(pickupsMs[5]).toBeLessThan(5_000);
      expect(mostMoreMb).toBeLessThan(MORE_MB);

      for (const node of nodes) {
        const exit = node.exit(90_000);
        node.signal("SIGTERM");
        await exit;
      }
      const entries = trial.ledger;
      expect(
        Math.max(
          ...aliveOverTime(
            livesOf(
              entries.filter(({ id }) => id.startsWith("j")),
              [],
            ),
          ).map(({ alive }) => alive),
        ),
      ).toBeLessThanOrEqual(LIMIT);
      const done = new Set(entries.filter(({ event }) => event === "effect").map(({ id }) => id));
      expect(done.size).toBeGreaterThan(11);
      if (clusterMode() !== undefined) return expectAllThere(trial, done);
      const { queued, running, delayed, blocked, dead } = await trial.broker.queues.snapshot(QUEUE);
      expect({
        sum: queued + running + delayed + blocked + dead + done.size,
        running,
        dead,
      }).toEqual({
        sum: JOBS + 11,
        running: 0,
        dead: 0,
      });
    },
  );
});

/**
 * An ack that dies with a leader leaves its job in the queue a second time, until somebody is given
 * it and sees that: so they are told by their ids.
 */
async function expectAllThere({ broker }: Trial, done: ReadonlySet<string>): Promise<void> {
  const limit = JOBS * 10;
  const places = [
    await broker.listWaiting(QUEUE, { limit }),
    await broker.blocked.list({ queue: QUEUE, limit }),
  ];
  const left = places.flatMap((jobs) => jobs.map(({ envelope }) => envelope.id));
  expect(new Set([...left, ...done]).size).toBe(JOBS + 11);
  expect(await broker.deadLetters.list({ queue: QUEUE, limit })).toEqual([]);
}

function jobOf(id: string, tenant: string): Envelope {
  return {
    ...UNSETTLED,
    id,
    name: JOB,
    queue: QUEUE,
    payload: { do: "work", ms: 5, tenant },
    createdAt: Date.now(),
    headers: {},
  };
}

/** Every tenth is due in a few seconds, every hundredth in an hour. */
function backlogJob(n: number): Envelope {
  const job = jobOf(`j${n}`, "acme");
  if (n % 100 === 1) return { ...job, notBefore: Date.now() + 3_600_000 };
  return n % 10 === 1 ? { ...job, notBefore: Date.now() + 1_000 + (n % 5_000) } : job;
}

async function publish(trial: Trial, jobs: readonly Envelope[]): Promise<void> {
  for (const result of await trial.broker.enqueue(jobs)) if (!result.ok) throw result.error;
}

function heard(nodes: readonly TrialNode[], id: string, withinMs: number): Promise<unknown> {
  return Promise.any(nodes.map((node) => node.heard("started", id, withinMs)));
}

function residentMb({ pid }: TrialNode): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1_024;
}

function range(from: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}
