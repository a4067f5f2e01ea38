// A node whose jobs take a while and write down when they begin and end. Its one argument is a
// `FleetNode` as JSON.
import { setTimeout as sleep } from "node:timers/promises";
import { connectBroker } from "@millrace/broker-nats";
import { defineJob, type ExecutionContext } from "@millrace/core";
import { createNode } from "@millrace/runtime";
import { LedgerWriter } from "../reliability/oracle/ledger-file.ts";
import type { FleetNode } from "./fleet-node.ts";

const {
  servers,
  namespace,
  name,
  ledger: directory,
  leaseMs,
  slots,
} = JSON.parse(process.argv[2] ?? "{}") as FleetNode;
const ledger = new LedgerWriter(directory, name);
const broker = await connectBroker({
  servers,
  namespace,
  pingIntervalMs: 1_000,
  reconnectWaitMs: 50,
});

async function work({ input, job, attempt, token, signal }: ExecutionContext): Promise<void> {
  const run = { id: job.id, attempt, token };
  ledger.write({ event: "started", ...run });
  try {
    await sleep(Number(input), undefined, { signal });
    ledger.write({ event: "ended", ending: "succeeded", ...run });
  } catch (error) {
    ledger.write({ event: "ended", ending: "aborted", ...run });
    throw error;
  }
}

const node = createNode({
  name,
  broker,
  jobs: [defineJob({ name: "work", queue: "work", retry: { attempts: 20 } }).handler(work)],
  slots,
  lease: leaseMs,
  poisonAfter: 50,
});
await node.start();
process.send?.({ say: "ready" });
