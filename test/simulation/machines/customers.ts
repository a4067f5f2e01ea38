import type { Broker } from "@millrace/core";
import { createClient } from "../../../packages/millrace/src/client/client.ts";
import type { MachineHandle } from "../../../packages/millrace/src/client/machines/machine-handle.ts";
import { between, type Dice } from "../engine/dice.ts";
import type { SimProcess } from "../engine/process.ts";
import { insist, sleep } from "../world/insist.ts";
import type { Realm } from "../world/realm.ts";
import type { MachineEvidence } from "./evidence.ts";

export interface CustomersOptions {
  readonly process: SimProcess;
  readonly realm: Realm;
  readonly dice: Dice;
  readonly evidence: MachineEvidence;
}

const ORDERS = 12;
const SENDERS = 2;
/** All orders begin within this. */
const SPREAD_MS = 20_000;
/** What they send is spread over this. */
const SENDING_MS = 25_000;

/** The server may be down just then. */
async function brokerOnceItIsUp({ realm, process }: CustomersOptions): Promise<Broker> {
  for (;;)
    try {
      return await realm.brokerFor(process);
    } catch {
      await sleep(process.clock, 1_000);
    }
}

/**
 * Start orders, ping them from several places at once, approve some, and close each when all else
 * is sent. What isn't confirmed is sent again under its id.
 */
export async function customers(options: CustomersOptions): Promise<void> {
  const { process, dice, evidence } = options;
  const { clock } = process;
  const client = createClient(await brokerOnceItIsUp(options), clock);

  const insistOn = (act: () => Promise<void>): Promise<unknown> => insist(clock, act);

  async function ping(order: MachineHandle, sender: number): Promise<void> {
    const of = (what: string): string => `${order.id} sender ${sender} ${what}`;
    const pings = between(dice, of("pings"), 1, 8);
    const mine: number[] = [];
    evidence.sent.get(order.id)?.push(mine);
    for (let i = 0; i < pings; i += 1) {
      await sleep(clock, (dice(of(`pause ${i}`)) * SENDING_MS) / pings);
      const n = sender * 100 + i;
      const id = `${order.id}-${n}`;
      const send = (): Promise<unknown> => insistOn(() => order.send({ type: "PING", n }, { id }));
      await send();
      mine.push(n);
      if (dice(of(`twice ${i}`)) < 0.2) await send();
    }
  }

  async function live(n: number): Promise<void> {
    const order = client.machine("order", `o-${n}`);
    const of = (what: string): string => `${order.id} ${what}`;
    evidence.sent.set(order.id, []);
    await sleep(clock, dice(of("begins")) * SPREAD_MS);
    await insistOn(() => order.start({ order: order.id }));
    const approval = async (): Promise<void> => {
      if (dice(of("is approved")) < 0.5) return;
      await sleep(clock, dice(of("approved in")) * SENDING_MS);
      await insistOn(() => order.send({ type: "APPROVE" }, { id: "approve" }));
    };
    const senders = Array.from({ length: SENDERS }, (_, at) => ping(order, at));
    await Promise.all([approval(), ...senders]);
    // Comes too early now and then: an order is open at its end only.
    const closing = insist(clock, () =>
      order.waitFor((one) => one.matches("open") || one.status !== "active", { timeout: "15m" }),
    );
    if ((await closing).ok) await insistOn(() => order.send({ type: "CLOSE" }, { id: "close" }));
  }

  await insistOn(() => client.machine("stock", "all").start());
  await Promise.all(Array.from({ length: ORDERS }, (_, n) => live(n + 1)));
}
