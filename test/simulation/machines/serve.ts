import { type Broker, type ExecutionContext, MillraceError, withOwn } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { type Dice, rowOf } from "../engine/dice.ts";
import type { SimProcess } from "../engine/process.ts";
import { sleep } from "../world/insist.ts";
import type { Realm } from "../world/realm.ts";
import type { MachineEvidence } from "./evidence.ts";
import { ask, charge, orderMachine, PATIENCE_MS, ship, stock } from "./order.ts";

/** What all hosts of a world share. */
export interface Household {
  readonly realm: Realm;
  readonly dice: Dice;
  readonly evidence: MachineEvidence;
  readonly spoil: (broker: Broker) => Broker;
  readonly leaseMs: number;
}

type Work = ExecutionContext<{ order: string }>;

const LONGEST_WORK_MS = 2_000;
/** Whoever answers at all does so within this; mostly before nobody waits any more. */
const ANSWERS_WITHIN_MS = 1.5 * PATIENCE_MS;
/** Longer than a world lasts: it ends by its cancellation alone. */
const NEVER_MS = 24 * 3_600_000;
const ANSWERS = 0.5;
const REFUSED = 1 / 3;

/** A node that hosts orders and runs their jobs. */
export async function serve(process: SimProcess, household: Household): Promise<void> {
  const { realm, dice, evidence, spoil, leaseMs } = household;
  const { clock } = process;
  const took = (name: string, { input: { order }, job }: Work): string => {
    evidence.runs.push({ job: name, id: job.id, order });
    return `${name} ${order}`;
  };
  const slowly = async (name: string, context: Work, mostMs: number): Promise<string> => {
    await sleep(clock, dice(`${name} ${context.input.order} takes`) * mostMs);
    return took(name, context);
  };
  const answer = async (context: Work): Promise<string> => {
    const answers = dice(`${context.input.order} answers`) < ANSWERS;
    const work = slowly("ask", context, answers ? ANSWERS_WITHIN_MS : NEVER_MS);
    return Promise.race([work, abortOf(context.signal)]);
  };
  let made = 0;
  const node = createNode(
    {
      name: process.name,
      broker: spoil(oftenFull(await realm.brokerFor(process), dice)),
      machines: [stock, orderMachine((order) => void evidence.told.add(order))],
      jobs: [
        charge.handler((context: Work) => slowly("charge", context, LONGEST_WORK_MS)),
        ask.handler(answer),
        ship.handler((context: Work) => slowly("ship", context, LONGEST_WORK_MS)),
      ],
      clock,
      random: rowOf(dice, `random of ${process.name}`),
      slots: 8,
      grace: "5s",
      lease: leaseMs,
      // Whoever is killed again and again is not to blame here.
      poisonAfter: 1_000,
    },
    { newId: () => `${process.name}-made-${(made += 1)}` },
  );
  await node.start();
}

/** An inbox of a thousand is not filled here: one in three events of a machine is refused. */
function oftenFull(broker: Broker, dice: Dice): Broker {
  const refusals = new Map<string, number>();
  const send: Broker["inbox"]["send"] = async (to, body) => {
    const { eventId = "" } = body;
    // Its sender's life is drawn anew in each world.
    const name = `${to.machine} ${to.id} ${eventId
      .split(":")
      .filter((_, at) => at !== 3)
      .join(":")}`;
    const refused = refusals.get(name) ?? 0;
    refusals.set(name, refused + 1);
    if (dice(`no room for ${name} ${refused}`) < REFUSED)
      throw new MillraceError("queue-full", "As many events wait for this machine as may.");
    return broker.inbox.send(to, body);
  };
  return withOwn(broker, { inbox: withOwn(broker.inbox, { send }) });
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
