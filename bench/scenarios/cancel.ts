import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { connect as connectNats } from "@nats-io/transport-node";
import { connect } from "millrace";
import { noOp, payloadOf } from "./no-op-job.ts";
import { sample } from "./pickup.ts";
import type { Arena, Contender, Scenario } from "./scenario.ts";

const PROGRAM = fileURLToPath(new URL("./cancel-listener.ts", import.meta.url));

/** One core-NATS hop from this process to another one. */
const bare: Contender = {
  name: "bare client",
  run: async (arena) => {
    await using listener = await startListener("bare", arena);
    const nc = await connectNats({ servers: arena.url, noAsyncTraces: true });
    const figure = await sample(arena.amount, async (index) => {
      const heard = listener.next("heardNs");
      const began = process.hrtime.bigint();
      nc.publish(`${arena.namespace}.cancel.${index}`, "x");
      return elapsedMs(began, await heard);
    });
    await nc.close();
    return figure;
  },
};

/** From the call of `handle.cancel()` in this process to the handler's abort listener in another one. */
const millrace: Contender = {
  name: "Millrace",
  run: async (arena) => {
    await using listener = await startListener("node", arena);
    await using client = await connect({ servers: arena.url, namespace: arena.namespace });
    return await sample(arena.amount, async (index) => {
      const started = listener.next("started");
      const handle = await client.enqueue(noOp, payloadOf(index));
      await started;
      const [heard, settled] = [listener.next("heardNs"), listener.next("settled")];
      const began = process.hrtime.bigint();
      const cancelled = handle.cancel("bench");
      const ms = elapsedMs(began, await heard);
      await Promise.all([cancelled, settled]);
      return ms;
    });
  },
};

interface Listener extends AsyncDisposable {
  /** The field of the next message that has it. */
  next(field: "heardNs" | "started" | "settled" | "ready"): Promise<string>;
}

async function startListener(kind: "bare" | "node", { url, namespace }: Arena): Promise<Listener> {
  const child: ChildProcess = fork(PROGRAM, [kind, url, namespace]);
  const next: Listener["next"] = (field) =>
    new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error("the listener ended"));
      const hear = (message: object): void => {
        if (!(field in message)) return;
        child.off("message", hear);
        child.off("exit", ended);
        resolve(String((message as Record<string, unknown>)[field]));
      };
      child.on("message", hear);
      child.once("exit", ended);
    });
  await next("ready");
  return {
    next,
    [Symbol.asyncDispose]: async () => {
      const exit = once(child, "exit");
      child.kill();
      await exit;
    },
  };
}

function elapsedMs(began: bigint, heardNs: string): number {
  return Number(BigInt(heardNs) - began) / 1e6;
}

export const cancelScenario: Scenario = {
  name: "cancel",
  question:
    "How long from handle.cancel() to the abort of the handler's signal in another process?",
  amount: { full: 500, smoke: 50 },
  limit: bare,
  subject: millrace,
  // The bare client confirms nothing and keeps nothing; a cancellation is stored before it is told.
  goal: 0.15,
};
