import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { connectBroker } from "@millrace/broker-nats";
import { guardChild, launchServer, obtainServer } from "@millrace/nats-server";
import { createNode, tuneEngine } from "@millrace/runtime";
import { connect, defineJob, type Millrace } from "millrace";
import { endChild, serveBench } from "./child-node.ts";
import { readCommandLine } from "./command-line.ts";
import { type MeasuredPage, openedInChromium } from "./dashboard/chromium-page.ts";
import { costOfPages } from "./dashboard/cost-of-pages.ts";
import { Memory } from "./dashboard/memory.ts";

/**
 * The dashboard over a large history: what its first page takes, a search, its memory, and what
 * three open pages take from the fleet. `millrace ui` with its index, one node and one server, each
 * a process of its own.
 *
 *     pnpm bench:dashboard [--jobs 100000] [--waiting 10000] [--rounds 5] [--round 40000]
 *                          [--minutes 30]
 *
 * With `MILLRACE_JOB_INDEX_POSTGRES` the index is in that database, and not in a file.
 *
 * After `pnpm build` the dashboard is the package's, as users have it: the sources take more
 * memory.
 *
 * Rounds with three pages and without any take turns. A page is what a browser asks for, without
 * the browser, which runs elsewhere. Five pages are opened in a real one, too, where there is one.
 * Each chunk of jobs says how far it is, and the index catches up before the next. What is not
 * filled after so many minutes is left out, and the figures say of how many jobs they are.
 */
const NAMESPACE = "bench";
const CHUNK = 20_000;
const SLOTS = 256;
const SEARCHES = 200;
const MB = 2 ** 20;
/** More than any history here takes: what is measured has all of it. */
const INDEX_MAX_MB = 100_000;
/** An index that has read all for so long, and has the same jobs, gets no more. */
const SETTLED_MS = 60_000;
const CUSTOMERS = 5_000;
/** The queues and the node, or the queue's; what the index knows of a million jobs. */
const OPENED: readonly MeasuredPage[] = [
  { name: "first page", path: "", rows: 3, plots: 7 },
  { name: "page of a queue", path: "queues/orders", rows: 0, plots: 5 },
  { name: "list of jobs", path: "jobs", rows: 100, plots: 0 },
  { name: "list of jobs by payload", path: "jobs?filter=payload.customer:42", rows: 1, plots: 0 },
  { name: "list of errors", path: "errors", rows: 1, plots: 0 },
];
/** One job in so many dies. */
const DIES = 500;
const AS_PACKAGE = fileURLToPath(new URL("../packages/millrace/dist/bin.js", import.meta.url));
const FROM_SOURCES = fileURLToPath(new URL("../packages/millrace/src/cli/bin.ts", import.meta.url));
/** The dashboard reads it, as a user's would. */
const IN_POSTGRES = process.env["MILLRACE_JOB_INDEX_POSTGRES"] !== undefined;
const MILLRACE = existsSync(AS_PACKAGE) ? AS_PACKAGE : FROM_SOURCES;

interface Order {
  readonly customer: number;
  readonly item: string;
}
const order = defineJob<Order>({ name: "shop.order", queue: "orders", retry: "none" });
const later = defineJob<Order>({ name: "shop.later", queue: "later" });

if (process.send === undefined) await measure();
else await host(process.argv[2] ?? "");

async function measure(): Promise<void> {
  const { jobs, waiting, rounds, round, first, minutes } = readCommandLine({
    command: "pnpm bench:dashboard",
    about:
      "Measures `millrace ui` over a large history: its first page, searches, its memory, and what three\nopen pages take from the fleet.",
    options: {
      jobs: { count: 100_000, says: "jobs in the history" },
      waiting: { count: 10_000, from: 0, says: "jobs that wait" },
      rounds: { count: 5, from: 0, says: "rounds with three pages open and without, in turns" },
      round: { count: 40_000, says: "jobs that the fleet does in such a round" },
      first: { count: 20, says: "how often the first page is asked for" },
      minutes: { count: 30, says: "no more jobs are filled in after so long" },
    },
  });
  const { path } = await obtainServer({ onProgress: (line) => process.stderr.write(`${line}\n`) });
  const folder = await mkdtemp(join(tmpdir(), "millrace-bench-"));
  await using server = await launchServer({ path });
  const millrace = await connect({ servers: server.url, namespace: NAMESPACE, env: {} });
  const children: ChildProcess[] = [];
  let memory: Memory | undefined;
  try {
    for (const queue of ["orders", "later"]) await millrace.queues.ensure(queue);
    const node = fork(fileURLToPath(import.meta.url), [server.url]);
    children.push(node);
    await once(node, "message");
    const ui = await startUi(server.url, folder, children);
    memory = new Memory(ui.pid);
    const from = MILLRACE === AS_PACKAGE ? "as the package" : "from the sources";
    say(`nats-server ${server.version}, Node ${process.version}, millrace ui ${from}`);
    await fill(millrace, { jobs, waiting, url: ui.url, memory, minutes });
    say(`memory of the dashboard while it indexed: ${memory.most().toFixed(0)} MB at most`);
    await firstPages(ui.url, first);
    await inChromium(ui.url, first);
    await searches(ui.url);
    const run = async (): Promise<number> => {
      const jobsPerSecond = await rate(millrace, round);
      // What the index has yet to read of this round belongs to it, and not to the next.
      await caughtUp(millrace, ui.url);
      return jobsPerSecond;
    };
    const tell = (line: string): void => void process.stderr.write(`${line}\n`);
    const pids = [server.pid, node.pid ?? 0, ui.pid];
    for (const line of await costOfPages({ url: ui.url, rounds, pids, run, tell }))
      say(`${line}, ${rounds} rounds of ${round} jobs each`);
    say(`memory of the dashboard: ${memory.most().toFixed(0)} MB at most`);
  } finally {
    memory?.stop();
    await millrace.close();
    for (const child of children) await endChild(child);
    await rm(folder, { recursive: true });
  }
}

async function startUi(
  servers: string,
  folder: string,
  children: ChildProcess[],
): Promise<{ readonly url: string; readonly pid: number }> {
  const kept = IN_POSTGRES ? [] : ["--job-index", join(folder, "index")];
  // One that is full lets old jobs go in some rounds and not in others.
  const room = ["--job-index-max-mb", String(INDEX_MAX_MB)];
  const args = [MILLRACE, "ui", "--ui-port", "0", ...kept, ...room, "--json"];
  const env = { ...process.env, MILLRACE_SERVERS: servers, MILLRACE_NAMESPACE: NAMESPACE };
  const ui = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  children.push(ui);
  // It ends with its bench, however that ends.
  if (ui.pid !== undefined) void once(ui, "close").then(guardChild(ui.pid));
  for await (const line of createInterface({ input: ui.stdout }))
    return { url: (JSON.parse(line) as { url: string }).url, pid: ui.pid ?? 0 };
  throw new Error("the dashboard did not start");
}

interface Filling {
  readonly jobs: number;
  readonly waiting: number;
  readonly url: string;
  readonly memory: Memory;
  readonly minutes: number;
}

async function fill(millrace: Millrace, filling: Filling): Promise<void> {
  const { jobs, waiting, url, memory, minutes } = filling;
  const began = performance.now();
  const since = (): number => (performance.now() - began) / 1_000;
  let made = 0;
  while (made < jobs && since() < minutes * 60) {
    const chunk = Math.min(CHUNK, jobs - made);
    await enqueue(millrace, order, chunk, made);
    await drained(millrace);
    made += chunk;
    const ran = since();
    await caughtUp(millrace, url, made);
    progress(
      `${made} of ${jobs} after ${since().toFixed(0)} s, of which the index took ${(since() - ran).toFixed(1)} s to catch up; the dashboard has ${memory.now().toFixed(0)} MB`,
    );
  }
  for (let from = 0; from < waiting; from += CHUNK)
    await enqueue(millrace, later, Math.min(CHUNK, waiting - from), from);
  const before = since();
  say(`${made} jobs in the history and ${waiting} waiting, made in ${before.toFixed(0)} s`);
  const { jobs: indexed, bytes, unheard } = await caughtUp(millrace, url, made + waiting);
  say(
    `the index had read all ${(since() - before).toFixed(0)} s later: ${indexed} jobs, ${(bytes / MB).toFixed(0)} MB, ${unheard} came too fast to be heard`,
  );
}

function enqueue(
  millrace: Millrace,
  job: typeof order,
  count: number,
  from: number,
): Promise<unknown> {
  const items = Array.from({ length: count }, (_, n) => ({
    input: { customer: (from + n) % CUSTOMERS, item: `item ${(from + n) % 97}` },
  }));
  return millrace.enqueueMany(job, items);
}

async function drained(millrace: Millrace): Promise<void> {
  for (;;) {
    const { queued, running } = await millrace.queues.snapshot("orders");
    if (queued + running === 0) return;
    await pause(20);
  }
}

interface IndexStatus {
  readonly state: string;
  readonly position: number;
  readonly jobs: number;
  readonly bytes: number;
  readonly unheard: number;
}

/**
 * Resolves once all is in the index that was on record at the call, and so many jobs. How far
 * behind it says it is was so when it last looked, and more may have come since.
 *
 * @throws where it has read all, and keeps fewer: it is larger than it may be, and lets the oldest
 *   go
 */
async function caughtUp(millrace: Millrace, url: string, wanted = 0): Promise<IndexStatus> {
  const { newest } = await millrace.broker.history.stretch({ after: 0, limit: 1 });
  let known = -1;
  let since = performance.now();
  for (;;) {
    const status = await read<IndexStatus>(url, "search");
    const { state, position, jobs, bytes } = status;
    const hasReadAll = state === "following" && position >= newest;
    if (hasReadAll && jobs >= wanted) return status;
    if (!hasReadAll || jobs !== known) since = performance.now();
    known = jobs;
    if (performance.now() - since > SETTLED_MS)
      throw new Error(
        `the index has read all and keeps ${jobs} jobs of ${wanted}, in ${(bytes / MB).toFixed(0)} MB: ask for fewer jobs`,
      );
    await pause(200);
  }
}

/**
 * The page with its script, then all that its first view asks for, at once. Not counted is one
 * before: from the sources the page is put together when it is asked for first, which the package
 * has done.
 */
async function firstPages(url: string, times: number): Promise<void> {
  const took: number[] = [];
  for (let n = -1; n < times; n += 1) {
    // Whatever is remembered for a moment is forgotten, or it would be told instead of asked.
    await pause(1_500);
    const began = performance.now();
    const html = await (await fetch(url)).text();
    const assets = [...html.matchAll(/(?:src|href)="([^"]*assets\/[^"]+)"/g)];
    const links = assets.map(([, link = ""]) => new URL(link, url).href);
    await Promise.all(links.map(async (link) => (await fetch(link)).arrayBuffer()));
    const asked = ["session", "overview", "plots?range=1h"];
    await Promise.all(asked.map((path) => read(url, path)));
    if (n >= 0) took.push(performance.now() - began);
  }
  say(`first page, ${times} times: ${quantiles(took)}`);
}

/** Until a person has what they opened it for, with the time that the browser takes for it. */
async function inChromium(url: string, times: number): Promise<void> {
  const took = await openedInChromium(url, OPENED, { times, between: () => pause(1_500) });
  if (typeof took === "string") say(`pages in Chromium: not measured (${took})`);
  else
    for (const [{ name }, lengths] of took)
      say(`${name} in Chromium, ${times} times: ${quantiles(lengths)}`);
}

async function searches(url: string): Promise<void> {
  const took: number[] = [];
  for (let n = 0; n < SEARCHES; n += 1) {
    const began = performance.now();
    const filter = filterOf(n);
    await read(url, `jobs?limit=50&filter=${encodeURIComponent(filter)}`);
    took.push(performance.now() - began);
  }
  say(`search, ${SEARCHES} different ones: ${quantiles(took)}`);
}

/** What people look for: a customer, an error, a word, a state and an age. */
function filterOf(n: number): string {
  const customer = (n * 7_919) % CUSTOMERS;
  return [
    `payload.customer:${customer}`,
    `error~declined payload.customer:${customer - (customer % DIES)}`,
    `payload.item:"item ${n % 97}"`,
    `state:dead age<${n + 1}h`,
    `name=shop.order attempts=1 age>${n}s`,
  ][n % 5] as string;
}

/** Jobs a second, from their enqueue to the last one's end. */
async function rate(millrace: Millrace, count: number): Promise<number> {
  const began = performance.now();
  await enqueue(millrace, order, count, 1);
  await drained(millrace);
  return (count * 1_000) / (performance.now() - began);
}

async function host(url: string): Promise<void> {
  tuneEngine();
  const broker = await connectBroker({ servers: url, namespace: NAMESPACE });
  const handled = order.handler(({ input }) => {
    if (input.customer % DIES === 0) throw new Error(`The bank declined ${input.customer}.`);
    return { sent: true };
  });
  const node = createNode({ broker, jobs: [handled], slots: SLOTS });
  await serveBench(broker, node);
}

async function read<View>(url: string, path: string): Promise<View> {
  const response = await fetch(`${url}api/${path}`);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as View;
}

function quantiles(all: readonly number[]): string {
  const sorted = all.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(0);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, at most ${at(1)} ms`;
}

/** Of a run that takes long. */
function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
