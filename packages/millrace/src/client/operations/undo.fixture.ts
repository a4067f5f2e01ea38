import { defineJob } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { MemoryBroker, MemoryServer, SimulatedClock } from "@millrace/testkit";
import { onTestFinished } from "vitest";
import { drain } from "../../testing/drain.ts";
import { HandlersAtWork } from "../../testing/handlers-at-work.ts";
import { createClient } from "../client.ts";
import type { Millrace } from "../millrace.ts";

export const QUEUE = "billing";
export const charge = defineJob<{ readonly n: number }>({
  ...{ name: "billing.charge", queue: QUEUE, retry: { attempts: 1 } },
});
export const pay = defineJob<{ readonly n: number }>({
  ...{ name: "billing.pay", queue: QUEUE, retry: { attempts: 1 }, steps: true },
});

export interface Scene {
  readonly client: Millrace;
  readonly clock: SimulatedClock;
  /** By job id, what its handler was given, since the bank is up. */
  readonly ran: ReadonlyMap<string, readonly unknown[]>;
  readonly reserved: readonly string[];
  bankIsUp(): void;
  stopNode(): Promise<void>;
  drain(): Promise<void>;
  another(): { readonly broker: MemoryBroker; readonly client: Millrace };
}

export async function scene({ steps = false } = {}): Promise<Scene> {
  let isUp = false;
  const ran = new Map<string, readonly unknown[]>();
  const reserved: string[] = [];
  const clock = new SimulatedClock();
  const server = new MemoryServer(clock);
  const another = (): ReturnType<Scene["another"]> => {
    const broker = new MemoryBroker({ clock, server });
    return { broker, client: createClient(broker, clock) };
  };
  const work = (id: string, input: unknown): void => {
    if (!isUp) throw new Error("the bank is down");
    ran.set(id, [...(ran.get(id) ?? []), input]);
  };
  const node = createNode({
    ...{ broker: another().broker, clock, random: () => 0.5, name: "node" },
    jobs: [
      charge.handler(({ job: { id }, input }) => work(id, input)),
      ...(steps
        ? [
            pay.handler(async ({ job: { id }, input, step }) => {
              await step.run("reserve", () => void reserved.push(id));
              work(id, input);
            }),
          ]
        : []),
    ],
  });
  await node.start();
  onTestFinished(() => node.stop());
  const { broker, client } = another();
  return {
    ...{ client, clock, ran, reserved, another },
    stopNode: () => node.stop(),
    bankIsUp: () => void (isUp = true),
    drain: () => drain({ broker, clock, handlers: new HandlersAtWork(clock, []) }, {}),
  };
}

/** One job has died, and its letter was discarded by an operation. */
export async function discarded(): Promise<{ readonly of: Scene; readonly id: string }> {
  const of = await scene();
  await of.client.enqueue(charge, { n: 1 }, { id: "c1" });
  await of.drain();
  const { id } = await of.client.operations.start(DISCARD);
  await of.client.operations.run(id);
  return { of, id };
}

export const RETRY = { kind: "dead-retry", filter: { queue: QUEUE }, by: "ada" } as const;
export const DISCARD = { kind: "dead-discard", filter: { queue: QUEUE }, by: "ada" } as const;
export const CANCEL = { kind: "jobs-cancel", filter: { queue: QUEUE }, by: "ada" } as const;
