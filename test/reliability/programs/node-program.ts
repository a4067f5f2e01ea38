// A node whose handlers do what payloads say and write down what they do. Its one argument is a
// `NodeConfig` as JSON.
import {
  type Broker,
  defineJob,
  type ExecutionContext,
  type Middleware,
  type SettlementStep,
} from "@millrace/core";
import { createNode, stopOnSignals } from "@millrace/runtime";
import type { Run } from "../oracle/ledger-entry.ts";
import { LedgerWriter } from "../oracle/ledger-file.ts";
import { connectTo } from "./connect.ts";
import { ackBeforePublish, stepByStep } from "./decorated-broker.ts";
import { die } from "./die.ts";
import { startLeaking } from "./leak.ts";
import { perform } from "./perform.ts";
import { printLogger } from "./print-logger.ts";
import { takeVitalSigns } from "./vital-signs.ts";
import { ALONE, JOB, type NodeConfig, QUEUE, type Said, tenantOf, type Work } from "./work.ts";

const config = JSON.parse(process.argv[2] ?? "{}") as NodeConfig;
const ledger = new LedgerWriter(config.ledger, config.name);
const log = printLogger(config.name);
const holders = new Map<string, () => void>();
const releasedEarly = new Set<string>();
const say = (message: Said): void => {
  if ("id" in message && !message.id.startsWith(config.tells ?? "")) return;
  // A node that has stopped may have something to say once the channel is closed.
  if (process.connected) process.send?.(message);
};

process.on(
  "message",
  ({ release, measure }: { readonly release?: string; readonly measure?: true }) => {
    if (measure === true) void takeVitalSigns().then((signs) => say({ say: "measured", signs }));
    if (release === undefined) return;
    const holder = holders.get(release);
    if (holder === undefined) releasedEarly.add(release);
    else holder();
  },
);

const connected = await connectTo(config, log);
const leak = config.leaks === true ? await startLeaking(config) : undefined;
const retry = {
  attempts: config.maxAttempts,
  ...(config.backoffMs === 0
    ? { backoff: "none" as const }
    : { backoff: "fixed" as const, base: config.backoffMs, jitter: false }),
};
const job = defineJob({
  name: JOB,
  queue: QUEUE,
  ...(config.singleton === true ? { singleton: true as const } : {}),
  ...(config.cap === undefined ? {} : { concurrency: { key: tenantOf, limit: config.cap } }),
  retry,
}).handler((context) => handle(context as ExecutionContext<Work>));
const alone = defineJob({ name: ALONE, queue: QUEUE, singleton: true, retry }).handler((context) =>
  handle(context as ExecutionContext<Work>),
);
const node = createNode({
  name: config.name,
  broker: faulty(connected),
  jobs: config.alone === true ? [job, alone] : [job],
  slots: config.slots,
  lease: config.leaseMs,
  grace: config.graceMs,
  middleware: [dieBeforeRun],
  log,
});
node.events.on("job.redelivered", ({ id }) => say({ say: "redelivered", id }));
node.events.on("job.settled", ({ id, state }) => say({ say: "settled", id, state }));
stopOnSignals(node);
await node.start();
say({ say: "ready" });
console.log("ready");

await node.stopped;
await connected.close({ withinMs: node.stopLeftMs });
ledger.close();
process.disconnect?.();
// As the command does: a handler that ignored its abort may hold a timer for ever, and the node has
// handed its job back already.
setTimeout(() => process.exit(), 100).unref();

async function handle(context: ExecutionContext<Work>): Promise<string> {
  const run: Run = { id: context.job.id, attempt: context.attempt, token: context.token };
  ledger.write({ event: "started", ...run });
  say({ say: "started", ...run });
  context.signal.addEventListener("abort", () => {
    const { code: cause } = context.signal.reason as { code: string };
    ledger.write({ event: "aborted", cause, ...run });
    say({ say: "aborted", id: run.id, token: run.token, cause });
  });
  if (config.dieAt === "mid-run") die("mid-run");
  await leak?.();
  try {
    await perform(context, { released, say });
  } catch (error) {
    ledger.write({ event: "ended", ending: context.signal.aborted ? "aborted" : "failed", ...run });
    throw error;
  }
  ledger.write({ event: "effect", ...run });
  if (config.dieAt === "after-effect") die("after the effect");
  ledger.write({ event: "ended", ending: "succeeded", ...run });
  say({ say: "ended", id: run.id, token: run.token });
  return "done";
}

function released(id: string, signal: AbortSignal | undefined): Promise<void> {
  // It holds in none of its runs any more.
  if (releasedEarly.has(id)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    holders.set(id, resolve);
    signal?.addEventListener("abort", () => {
      holders.delete(id);
      reject(signal.reason as Error);
    });
  });
}

async function dieBeforeRun(...[, next]: Parameters<Middleware>): Promise<unknown> {
  if (config.dieAt === "before-run") die("before the run");
  return next();
}

function faulty(broker: Broker): Broker {
  if (config.sabotage === "ack-before-publish")
    return ackBeforePublish(broker, async () => {
      await broker.ping();
      die("between the ack and the publish");
    });
  const { dieAt } = config;
  const atStep: readonly (typeof dieAt)[] = [
    "after-requeue",
    "after-bury",
    "after-block",
    "before-ack",
  ];
  if (!atStep.includes(dieAt)) return broker;
  return stepByStep(broker, (step, steps) => {
    const has = (what: SettlementStep["do"]): boolean => steps.some((one) => one.do === what);
    if (dieAt === "after-requeue" && has("requeue") && step.do === "record")
      die("after the requeue");
    if (dieAt === "after-bury" && has("bury") && step.do === "record") die("after the letter");
    if (dieAt === "after-block" && has("block") && step.do === "record")
      die("after the job was blocked");
    if (dieAt === "before-ack" && step.do === "ack") die("before the ack");
  });
}
