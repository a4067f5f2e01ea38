import type { Millrace } from "../../../packages/millrace/src/client/millrace.ts";
import { type Dice, oneOf } from "../engine/dice.ts";
import type { SimProcess } from "../engine/process.ts";
import { insist, sleep } from "./insist.ts";
import { JOBS, STEPPED } from "./jobs.ts";
import type { Ledger } from "./ledger.ts";
import type { Plan } from "./workload.ts";

/** Of the jobs that have steps and that nothing else is to befall. */
const WAITING = 0.6;
const EARLY_MS = 6_000;
/** From a handler's wait to its job's being put aside. */
const MOMENT_MS = 25;

export interface SignallerOptions {
  readonly client: Millrace;
  readonly process: SimProcess;
  readonly ledger: Ledger;
  readonly dice: Dice;
}

/** How many signals a job waits for: its script says so to its handler. */
export function withWaits(plan: Plan, dice: Dice): Plan {
  const isPlain = plan.kind === "job" && plan.again === undefined && STEPPED.has(plan.job);
  if (!isPlain || plan.cancelAfterMs !== undefined || dice(`${plan.name} waits`) > WAITING)
    return plan;
  const waits = oneOf(dice, `${plan.name} signals`, [1, 2, 3]);
  return { ...plan, script: { ...plan.script, waits } };
}

/**
 * Sends a job the signals that it waits for: some at any time, some in the very moment in which it
 * is being put aside, some twice.
 */
export async function sendSignals(options: SignallerOptions, plan: Plan): Promise<void> {
  const { waits = 0 } = plan.script;
  await Promise.all(Array.from({ length: waits }, (_, n) => sendSignal(options, plan, n)));
}

async function sendSignal(
  { client, process, ledger, dice }: SignallerOptions,
  { name, job, atMs }: Plan,
  n: number,
): Promise<void> {
  const of = (what: string): string => `${name} signal ${n} ${what}`;
  if (dice(of("moment")) < 0.6) {
    const waits = ledger.next((fact) => fact.is === "waits" && fact.job === name && fact.n === n);
    // A job that never comes so far is not waited for.
    await Promise.race([waits, sleep(process.clock, atMs + 4 * 60_000)]);
    await sleep(process.clock, dice(of("in")) * MOMENT_MS);
  } else await sleep(process.clock, dice(of("at")) * EARLY_MS);
  const send = () =>
    insist(process.clock, () =>
      client.signal(JOBS[job].queue, name, "go", n, { id: `${name}-go-${n}` }),
    );
  if (!(await send()).ok) return;
  ledger.note({ is: "signalled", job: name, queue: JOBS[job].queue, value: n });
  if (dice(of("twice")) > 0.5) return;
  await sleep(process.clock, dice(of("again")) * EARLY_MS);
  await send();
}
