import { fileURLToPath } from "node:url";
import { connect as connectNats } from "@nats-io/transport-node";
import { connect } from "millrace";
import { msBetween } from "./figures.ts";
import { type ListeningChild, startListening } from "./listening-child.ts";
import { noOp, payloadOf } from "./no-op-job.ts";
import { sample } from "./sample.ts";
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
      return msBetween(began, await heard);
    });
    await nc.close();
    return figure;
  },
};

/**
 * From the call of `handle.cancel()` in this process to the handler's abort listener in another
 * one.
 */
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
      const ms = msBetween(began, await heard);
      await Promise.all([cancelled, settled]);
      return ms;
    });
  },
};

function startListener(
  kind: "bare" | "node",
  { url, namespace }: Arena,
): Promise<ListeningChild<"heardNs" | "started" | "settled">> {
  return startListening(PROGRAM, [kind, url, namespace]);
}

export const cancelScenario: Scenario = {
  name: "cancel",
  question:
    "How long from handle.cancel() to the abort of the handler's signal in another process?",
  amount: { full: 500, smoke: 20 },
  limit: bare,
  subject: millrace,
  unable: {
    BullMQ: "worker.cancelJob() reaches only the process that runs the job",
    "Graphile Worker": "a running job can't be cancelled; its signal tells of a shutdown",
    "pg-boss":
      "cancel() changes the row; the signal follows only where the queue has a heartbeat (off by default, 10 s at the least)",
  },
  // The bare client confirms nothing and keeps nothing; a cancellation is stored before it is told.
  goal: 0.15,
};
