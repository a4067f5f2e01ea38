import { type RecordedRun, recordRun, type Steps, UNSETTLED } from "@millrace/core";
import { SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { scene } from "../../../fixtures/recorded-steps.ts";
import { defineStepsJob } from "../../../fixtures/steps-scene.ts";
import { replayRun } from "../replay-run.ts";

/** What a branch does, step after step. */
type Program = readonly Act[];
type Act =
  | { readonly do: "run"; readonly name: string }
  | { readonly do: "fail"; readonly name: string }
  | { readonly do: "sleep"; readonly name: string; readonly ms: number }
  | { readonly do: "all" | "race"; readonly branches: readonly Program[] };

/** Names are few, so that branches have steps of one name. */
const NAMES = ["a", "b"];
const PROGRAMS = 40;

for (let seed = 1; seed <= PROGRAMS; seed += 1)
  test(`a later run is told the same in the same order, and so is one after a crash, ${seed}`, async () => {
    const random = randomOf(seed);
    const program = programOf(random, 3);
    const told: string[][] = [];
    const cuts: RecordedRun[] = [];
    const { enqueue, clock, broker, last, run } = await scene((step) =>
      perform(program, step, told, () => pause(clock, random(40))),
    );
    const write = broker.journal.write.bind(broker.journal);
    broker.journal.write = async (...all) => {
      const stored = await write(...all);
      const job = { ...UNSETTLED, ...run, name: "t.job", payload: null, headers: {} };
      cuts.push(recordRun(job, await broker.journal.read(run), clock.now()));
      // Confirmations come in another order than that of the records.
      await pause(clock, random(20));
      return stored;
    };
    await enqueue("t.job");
    await clock.advance("10m");
    expect(await last()).toMatchObject({ state: "succeeded", attempts: 1 });

    const all = told.at(-1) ?? [];
    for (const one of told) expect(one).toEqual(all.slice(0, one.length));
    for (const cut of cuts) {
      const ran = (await replay(cut, program)).filter(isOfRun);
      const own = all.filter(isOfRun);
      // A failure that has the handler end is on record nowhere.
      expect(ran.slice(0, own.length)).toEqual(own.slice(0, ran.length));
    }
  });

/** Which of several sleeps and runs is over next is not said by a record that ends before. */
const isOfRun = (one: string): boolean => one.includes(" has run ");

/** @returns what the handler is told by a node that has no more than this */
async function replay(cut: RecordedRun, program: Program): Promise<readonly string[]> {
  const told: string[][] = [];
  const clock = new SimulatedClock();
  const job = defineStepsJob().handler(({ step }) =>
    perform(program, step, told, () => Promise.resolve()),
  );
  const replayed = replayRun(job, cut, { clock, timeoutMs: 10_000 });
  await clock.advance("10s");
  const { outcome, notAsked } = await replayed;
  expect([outcome, notAsked]).toEqual([expect.stringMatching(/^(goes-on|ends)$/), []]);
  return told.flat();
}

async function perform(
  program: Program,
  step: Steps,
  told: string[][],
  work: () => Promise<void>,
): Promise<void> {
  const own: string[] = [];
  told.push(own);
  let steps = 0;
  let isOver = false;
  // What is told once the handler has ended is in no order.
  const say = (what: string): void => void (isOver || own.push(what));
  const branch = async (acts: Program, where: string): Promise<void> => {
    for (const [n, act] of acts.entries()) {
      const here = `${where}.${n}`;
      if (act.do === "run") {
        const result = await step.run(act.name, async () => {
          await work();
          return `${here} ${(steps += 1)}`;
        });
        say(`${here} has run ${result}`);
      } else if (act.do === "fail") {
        const failing = async (): Promise<never> => {
          await work();
          throw new Error(here);
        };
        const failure: unknown = await step.run(act.name, failing).catch((error) => error);
        say(`${here} has failed: ${String(failure)}`);
      } else if (act.do === "sleep") {
        await step.sleep(act.name, act.ms);
        say(`${here} has slept`);
      } else {
        const under = act.branches.map((one, at) => branch(one, `${here}/${at}`));
        await (act.do === "all" ? Promise.all(under) : Promise.race(under));
      }
    }
  };
  await branch(program, "");
  isOver = true;
}

function programOf(random: (below: number) => number, depth: number): Program {
  return Array.from({ length: 1 + random(3) }, () => {
    const kind = random(depth > 0 ? 5 : 3);
    if (kind < 2)
      return { do: kind === 0 ? "run" : "fail", name: NAMES[random(NAMES.length)] ?? "a" };
    if (kind === 2) return { do: "sleep", name: "s", ms: 1 + random(30) };
    const branches = Array.from({ length: 2 + random(2) }, () => programOf(random, depth - 1));
    return { do: kind === 3 ? "all" : "race", branches };
  });
}

function pause(clock: SimulatedClock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.setTimer(ms, resolve));
}

/** @returns whole numbers below what it is given, the same ones for one seed */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
