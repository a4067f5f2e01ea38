import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { connectBroker } from "@millrace/broker-nats";
import { type Broker, MACHINES_BUCKET } from "@millrace/core";
import { type LaunchedServer, launchServer, obtainServer } from "@millrace/nats-server";
import { createNode } from "@millrace/runtime";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { connect, defineMachine, type Millrace } from "millrace";
import { assign, setup } from "xstate";
import { endChild, serveBench } from "./child-node.ts";
import { readCommandLine } from "./command-line.ts";
import { readUsage } from "./scale/process-usage.ts";

/**
 * What durable machines cost: machines at rest, transitions a second and their latency beside the
 * bare compare-and-set that they rest on, and timers that are due at one time. One host, one
 * client, one server with its defaults; and the restart of a server that has them all.
 *
 *     pnpm bench:machines [--rest 10000] [--events 20000] [--timers 1000]
 */
const NAMESPACE = "bench";
const ACTIVE = 100;
const AT_ONCE = 256;
/** Long work says so often how far it is. */
const TOLD_EACH = 100_000;
const LATENCIES = 300;
const MB = 2 ** 20;
/** A host that takes nothing for so long is stuck, or dead. */
const STUCK_MS = 60_000;

const chart = setup({
  types: {
    context: {} as { n: number; due: number },
    input: {} as { due: number },
    events: {} as { type: "GO" },
  },
  delays: { due: ({ context }) => Math.max(0, context.due - Date.now()) },
}).createMachine({
  context: ({ input }) => ({ n: 0, due: input.due }),
  initial: "rests",
  states: {
    rests: {
      on: { GO: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
      always: { guard: ({ context }) => context.due > 0, target: "waits" },
    },
    waits: { after: { due: "rang" } },
    rang: { type: "final" },
  },
});
const unit = defineMachine({ name: "unit", machine: chart });

if (process.send === undefined) await measure();
else await host(process.argv[2] ?? "");

async function measure(): Promise<void> {
  const counts = readCommandLine({
    command: "pnpm bench:machines",
    about:
      "Measures durable machines: at rest, transitions beside the bare compare-and-set, timers that\nare due at one time, and the restart of a server that has them all.",
    options: {
      rest: { count: 10_000, from: 0, says: "machines that are started and left at rest" },
      events: { count: 20_000, from: 0, says: `events that ${ACTIVE} machines take` },
      timers: { count: 1_000, from: 0, says: "machines whose timer is due at one time" },
    },
  });
  const { path } = await obtainServer({ onProgress: (line) => process.stderr.write(`${line}\n`) });
  await using server = await launchServer({ path });
  say(`nats-server ${server.version}, one host`);
  const node = fork(fileURLToPath(import.meta.url), [server.url]);
  const died = once(node, "exit").then(([code, signal]) => {
    throw new Error(`the host ended with ${String(signal ?? code)}`);
  });
  await Promise.race([once(node, "message"), died]);
  const millrace = await connect({ servers: server.url, namespace: NAMESPACE, env: {} });
  await using nc = await connectNats({ servers: server.url });
  const jsm = await jetstreamManager(nc);
  const inStream = (name: string) => async (): Promise<number> =>
    (await jsm.streams.info(`${NAMESPACE}-${name}`)).state.messages;
  const all = { millrace, server, waiting: inStream("inbox"), ticking: inStream("timers") };
  const measured = async (): Promise<void> => {
    await atRest(all, counts.rest);
    await transitions(all, counts.events);
    await timers(all, counts.timers);
    const { state } = await jsm.streams.info(`KV_${NAMESPACE}-machines`);
    await restarted(all, state);
  };
  try {
    await Promise.race([measured(), died]);
  } finally {
    await millrace.close();
    await endChild(node);
  }
}

interface Scene {
  readonly millrace: Millrace;
  readonly server: LaunchedServer;
  /** Events that no host has taken. */
  readonly waiting: () => Promise<number>;
  /** Timers that have not come, or whose tick no host has taken. */
  readonly ticking: () => Promise<number>;
}

async function atRest({ millrace, server, waiting }: Scene, count: number): Promise<void> {
  const before = readUsage(server.pid).rssBytes;
  const began = performance.now();
  await together(count, (n) => millrace.machine(unit, `r-${n}`).start({ due: 0 }));
  await allTaken(waiting);
  const seconds = (performance.now() - began) / 1_000;
  const grown = (readUsage(server.pid).rssBytes - before) / MB;
  const listed = performance.now();
  const page = await millrace.machines.list({ machine: "unit", limit: 100 });
  const pageMs = performance.now() - listed;
  say(
    `${count} machines at rest: started at ${perSecond(count, seconds)}, the server has ${grown.toFixed(0)} MB more; a first page of ${page.machines.length} in ${pageMs.toFixed(0)} ms`,
  );
}

async function transitions({ millrace, waiting }: Scene, count: number): Promise<void> {
  const machines = Array.from({ length: ACTIVE }, (_, n) => millrace.machine(unit, `a-${n}`));
  for (const machine of machines) await machine.start({ due: 0 });
  await allTaken(waiting);
  const began = performance.now();
  await together(count, (n) => machines[n % ACTIVE]?.send({ type: "GO" }));
  await allTaken(waiting);
  const taken = await Promise.all(machines.map(async (one) => (await one.snapshot()).context.n));
  const sum = taken.reduce((all, n) => all + n, 0);
  if (sum !== count) throw new Error(`${sum} of ${count} events were taken`);
  const seconds = (performance.now() - began) / 1_000;
  const bare = await bareWrites(millrace.broker, count);
  say(
    `${count} transitions of ${ACTIVE} machines: ${perSecond(count, seconds)}; bare compare-and-set of the same documents: ${perSecond(count, bare)}`,
  );
  const latencies = await sentToStored(millrace);
  say(`send to stored, one at a time: ${quantiles(latencies)}`);
}

/** The same number of writes of documents as large, one after another for each key. */
async function bareWrites(broker: Broker, count: number): Promise<number> {
  const machines = await broker.documents(MACHINES_BUCKET);
  const value = (await machines.get("unit.a-0"))?.value;
  const documents = await broker.documents("bare");
  const began = performance.now();
  await Promise.all(
    Array.from({ length: ACTIVE }, async (_, n) => {
      let revision = 0;
      for (let at = n; at < count; at += ACTIVE)
        revision = await documents.put(`unit.a-${n}`, value, revision);
    }),
  );
  return (performance.now() - began) / 1_000;
}

async function sentToStored(millrace: Millrace): Promise<readonly number[]> {
  const machine = millrace.machine(unit, "a-0");
  let heard = Promise.withResolvers<void>();
  let wanted = (await machine.snapshot()).context.n;
  const following = await machine.subscribe(({ context }) => {
    if (context.n >= wanted) heard.resolve();
  });
  const latencies: number[] = [];
  for (let n = 0; n < LATENCIES; n += 1) {
    heard = Promise.withResolvers<void>();
    wanted += 1;
    const began = performance.now();
    await machine.send({ type: "GO" });
    await heard.promise;
    latencies.push(performance.now() - began);
  }
  await following.stop();
  return latencies;
}

async function timers({ millrace, waiting, ticking }: Scene, count: number): Promise<void> {
  // All are started before the first is due.
  const due = Date.now() + 10_000 + count;
  await together(count, (n) => millrace.machine(unit, `t-${n}`).start({ due }));
  await allTaken(waiting);
  const isEarly = Date.now() < due;
  // Asked of the stream, since to follow each machine would cost the server more than its timer.
  await sleepUntil(due);
  await allTaken(ticking);
  const late: number[] = [];
  await together(count, async (n) => {
    const rang = await millrace.machine(unit, `t-${n}`).snapshot();
    if (rang.status === "active") throw new Error(`the timer of t-${n} was lost`);
    late.push(rang.changedAt - due);
  });
  if (!isEarly) say("the machines were not started before their timers were due");
  say(`${count} timers due at one time, each fired once; late by: ${quantiles(late)}`);
}

/** The server is killed and comes back with all machines, until one of them is read. */
async function restarted(
  { millrace, server }: Scene,
  { messages, bytes }: { readonly messages: number; readonly bytes: number },
): Promise<void> {
  await server.kill();
  const began = performance.now();
  await server.restart();
  const upMs = performance.now() - began;
  const read = async (): Promise<void> => {
    for (;;)
      try {
        return void (await millrace.machine(unit, "a-0").snapshot());
      } catch (error) {
        if (performance.now() - began > STUCK_MS) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
  };
  await read();
  const readMs = performance.now() - began;
  say(
    `${messages} documents of machines and charts take ${(bytes / MB).toFixed(0)} MB of disk; a killed server is back in ${upMs.toFixed(0)} ms and has ${(readUsage(server.pid).rssBytes / MB).toFixed(0)} MB, a machine was read after ${readMs.toFixed(0)} ms`,
  );
}

async function host(url: string): Promise<void> {
  const broker = await connectBroker({ servers: url, namespace: NAMESPACE });
  const node = createNode({ broker, jobs: [], machines: [unit] });
  await serveBench(broker, node);
}

async function together(count: number, act: (n: number) => unknown): Promise<void> {
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    while (next < count) {
      await act(next++);
      done += 1;
      if (done % TOLD_EACH === 0)
        process.stderr.write(`${done.toLocaleString("en")} of ${count.toLocaleString("en")}\n`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function sleepUntil(time: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, time - Date.now())));
}

/** Nothing waits for a host any more. */
async function allTaken(waiting: () => Promise<number>): Promise<void> {
  let before = await waiting();
  for (let since = performance.now(); before > 0;) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const left = await waiting();
    if (left !== before) since = performance.now();
    else if (performance.now() - since > STUCK_MS)
      throw new Error(`${left} messages wait, and none was taken for ${STUCK_MS / 1_000} s`);
    before = left;
  }
}

function perSecond(count: number, seconds: number): string {
  return `${Math.round(count / seconds).toLocaleString("en")} a second`;
}

function quantiles(all: readonly number[]): string {
  const sorted = all.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.floor((sorted.length - 1) * share)] ?? NaN).toFixed(1);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
