import { join } from "node:path";
import { stderr, stdout } from "node:process";
import { setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { launchServer, obtainServer } from "@millrace/nats-server";
import { serveDashboard } from "millrace/dashboard";
import { connect, type JobHandle, type JobStatus, type Millrace, MillraceError } from "millrace";
import { inputFiles } from "./input-files.ts";
import { type Digest, digest } from "./jobs.ts";
import { type NodeProcess, startNodeProcess } from "./node-process.ts";
import { createProgress } from "./progress.ts";
import { renderSummary, summarize } from "./summary.ts";
import { computeIndependently } from "./verify.ts";

/**
 * The main job: digests every file of an installed package, one job a file, on two node processes.
 * One of them is killed on the way, one file does not exist, and every digest is checked
 * afterwards.
 *
 * `--keep` leaves a node and the dashboard up at the end, and says how to publish to the node.
 */
const keep = process.argv.includes("--keep");
const NAMESPACE = "demo";
/** Short, so that the killed node's jobs are back soon. */
const LEASE = "2s";
const SLOTS = 8;
const KILL_AT = 0.25;
const MISSING = "no-such-file.ts";

try {
  await main();
} catch (error) {
  // What a user can mend (no nats-server to be had, say) needs no stack.
  if (!MillraceError.is(error)) throw error;
  stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { path: serverPath, source } = await obtainServer({
    onProgress: (line) => stderr.write(`${line}\n`),
  });
  await using server = await launchServer({ path: serverPath });
  stdout.write(`nats-server ${server.version} (${source}) at ${server.url}\n`);

  const nodeOptions = { server: server.url, namespace: NAMESPACE, lease: LEASE, slots: SLOTS };
  const [doomed, survivor] = await Promise.all([
    startNodeProcess({ ...nodeOptions, name: "node-1" }),
    startNodeProcess({ ...nodeOptions, name: "node-2" }),
  ]);
  stdout.write(`two nodes: node-1 (pid ${doomed.pid}), node-2 (pid ${survivor.pid})\n`);

  await using millrace = await connect({ servers: server.url, namespace: NAMESPACE });
  const { root, files } = await inputFiles();
  const paths = [...files, join(root, MISSING)];

  const beganMs = performance.now();
  const handles = await enqueueAll(millrace, paths);
  await killMidway(millrace, paths.length, doomed);
  await untilAllEnded(handles);
  const seconds = (performance.now() - beganMs) / 1_000;
  await untilQueueIsEmpty(millrace);
  const statuses = await Promise.all(handles.map((handle) => handle.status()));

  const redelivered = await redeliveries(survivor);
  const crash = `node-1 killed with SIGKILL, the ${redelivered} jobs it left unacknowledged delivered to node-2`;
  stdout.write(`\n${renderSummary(summarize(statuses, seconds), crash)}\n`);
  const wrong = await verify(statuses, paths);
  stdout.write(
    wrong.length === 0
      ? `\n${files.length} digests checked against an independent computation: all equal\n`
      : `\nwrong: ${wrong.join(", ")}\n`,
  );

  if (keep) await stayUp(millrace, survivor, server.url, files[0] as string);
  await survivor.stop();
  if (wrong.length > 0) process.exitCode = 1;
}

async function enqueueAll(
  millrace: Millrace,
  paths: readonly string[],
): Promise<readonly JobHandle<Digest>[]> {
  const results = await millrace.enqueueMany(
    digest,
    paths.map((path) => ({ input: { path } })),
  );
  return results.map((result) => {
    if (!result.ok) throw result.error;
    return millrace.handle<Digest>(result.id, result.queue);
  });
}

/**
 * SIGKILL for one node when a quarter of the jobs are through. Asks the server and not the results,
 * which come later, and holds the node still until more jobs run than the other one has slots for:
 * then it has some in hand.
 */
async function killMidway(millrace: Millrace, total: number, doomed: NodeProcess): Promise<void> {
  const look = async () => {
    const { queued, running, delayed } = await millrace.queues.snapshot(digest.queue);
    return { queued, running, done: total - queued - running - delayed };
  };
  for (;;) {
    const before = await look();
    if (before.queued > 0 && (before.done < total * KILL_AT || before.running <= SLOTS)) continue;
    doomed.freeze();
    const { queued, running, done } = await look();
    if (queued > 0 && running <= SLOTS) {
      doomed.thaw();
      continue;
    }
    const killed = doomed.kill();
    stdout.write(
      `node-1 is killed (SIGKILL) with ${done} of ${total} jobs done, ${running} running\n`,
    );
    return killed;
  }
}

async function untilAllEnded(all: readonly JobHandle<Digest>[]): Promise<void> {
  const progress = createProgress(all.length, stdout);
  let done = 0;
  await Promise.all(
    all.map(async (handle) => {
      // A job that ended badly rejects with why; the summary tells it.
      await handle.result().catch((error: unknown) => {
        if (!MillraceError.is(error)) throw error;
      });
      done += 1;
      progress.show(done);
    }),
  );
  progress.end();
}

/**
 * The results are there before this: a job that node-1 had recorded and not yet acknowledged comes
 * again when its lease ends. Then node-2 finds the record and does not run it a second time.
 */
async function untilQueueIsEmpty(millrace: Millrace): Promise<void> {
  for (;;) {
    const { queued, running, delayed } = await millrace.queues.snapshot(digest.queue);
    if (queued + running + delayed === 0) return;
    await setTimeout(50);
  }
}

/**
 * The paths whose job did not end as it should: the missing file's in a dead letter, every other
 * with the right digest.
 */
async function verify(
  all: readonly JobStatus[],
  paths: readonly string[],
): Promise<readonly string[]> {
  const checked = await Promise.all(
    all.map(async (status, index) => {
      const path = paths[index] as string;
      if (path.endsWith(MISSING)) return status.state === "dead" ? undefined : path;
      if (status.state !== "succeeded") return path;
      const expected = await computeIndependently(path);
      return isDeepStrictEqual(status.result, expected) ? undefined : path;
    }),
  );
  return checked.filter((path) => path !== undefined);
}

/**
 * How many messages the node was given that an earlier holder left without an outcome: its own
 * metric.
 */
async function redeliveries(node: NodeProcess): Promise<number> {
  const page = await (await fetch(`${node.healthUrl}/metrics`)).text();
  const values = [...page.matchAll(/^millrace_redeliveries_total\{[^}]*\} (\d+)/gm)];
  return values.reduce((sum, [, value]) => sum + Number(value), 0);
}

async function stayUp(
  millrace: Millrace,
  node: NodeProcess,
  server: string,
  file: string,
): Promise<void> {
  await using dashboard = await serveDashboard({ millrace, port: 0, localName: "you" });
  stdout.write(`
node-2 stays up until Ctrl-C.
  health    ${node.healthUrl}/readyz
  metrics   ${node.healthUrl}/metrics
  dashboard ${dashboard.url} (queues, jobs and errors, in a browser)
  publish   npx millrace enqueue digest.file '{"path":"${file}"}' --queue digest --server ${server} --namespace ${NAMESPACE}
            npx millrace jobs list --server ${server} --namespace ${NAMESPACE}
  or from any NATS client, one publish:
            nats pub --server ${server} ${NAMESPACE}.jobs.digest '{"name":"digest.file","payload":{"path":"${file}"}}'
`);
  await new Promise<void>((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
}
