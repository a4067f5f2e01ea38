import { join, relative } from "node:path";
import { stderr, stdout } from "node:process";
import { launchServer, obtainServer } from "@millrace/broker-nats/server";
import { connect, type JobHandle, type JobStatus, MillraceError } from "millrace";
import { inputFiles } from "./input-files.ts";
import { type Digest, digest } from "./jobs.ts";
import { type NodeProcess, startNodeProcess } from "./node-process.ts";
import { createProgress } from "./progress.ts";
import { renderSummary, summarize } from "./summary.ts";
import { computeIndependently } from "./verify.ts";

/**
 * The main job: digests every file of an installed package, one job a file, on two node processes. One of
 * them is killed on the way, one file does not exist, and every digest is checked afterwards.
 *
 * `--keep` leaves a node up at the end and says how to publish to it.
 */
const keep = process.argv.includes("--keep");
const NAMESPACE = "demo";
/** Short, so that the killed node's jobs are back soon. */
const LEASE = "2s";
const SLOTS = 8;
const KILL_AT = 0.25;

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
const paths = [...files, join(root, "no-such-file.ts")];

const beganMs = performance.now();
const handles = await enqueueAll(paths);
await watch(handles);
const seconds = (performance.now() - beganMs) / 1_000;
const statuses = await Promise.all(handles.map((handle) => handle.status()));

const redelivered = await metric(survivor, "redeliveries_total");
stdout.write(
  `\n${renderSummary(summarize(statuses, seconds), `node-1 killed with SIGKILL, ${redelivered} of its jobs delivered again`)}\n`,
);
const wrong = await verify(statuses);
stdout.write(
  wrong.length === 0
    ? `\n${files.length} digests checked against an independent computation: all equal\n`
    : `\nwrong: ${wrong.join(", ")}\n`,
);

if (keep) await stayUp(survivor);
await survivor.stop();
if (wrong.length > 0) process.exitCode = 1;

async function enqueueAll(all: readonly string[]): Promise<readonly JobHandle<Digest>[]> {
  const results = await millrace.enqueueMany(
    digest,
    all.map((path) => ({ input: { path } })),
  );
  return results.map((result) => {
    if (!result.ok) throw result.error;
    return millrace.handle<Digest>(result.id, result.queue);
  });
}

/** Waits for every job's end, and kills a node when a quarter of them are through. */
async function watch(all: readonly JobHandle<Digest>[]): Promise<void> {
  const progress = createProgress(all.length, stdout);
  let done = 0;
  let killed: Promise<void> | undefined;
  await Promise.all(
    all.map(async (handle) => {
      await handle.result().catch((error: unknown) => {
        if (!MillraceError.is(error)) throw error;
      });
      done += 1;
      progress.show(done);
      if (killed === undefined && done >= all.length * KILL_AT) {
        killed = doomed.kill();
        progress.say(`  node-1 is killed (SIGKILL) with ${done} of ${all.length} jobs done`);
      }
    }),
  );
  await killed;
  progress.end();
}

async function verify(all: readonly JobStatus[]): Promise<readonly string[]> {
  const checked = await Promise.all(
    all.map(async (status, index) => {
      const path = paths[index] as string;
      if (status.state !== "succeeded") return index === paths.length - 1 ? undefined : path;
      const expected = await computeIndependently(path);
      const same = JSON.stringify(expected) === JSON.stringify(status.result);
      return same ? undefined : relative(root, path);
    }),
  );
  return checked.filter((path) => path !== undefined);
}

async function metric(node: NodeProcess, name: string): Promise<number> {
  const page = await (await fetch(`${node.healthUrl}/metrics`)).text();
  const values = [...page.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\d+)`, "gm"))];
  return values.reduce((sum, [, value]) => sum + Number(value), 0);
}

async function stayUp(node: NodeProcess): Promise<void> {
  const file = files[0] as string;
  stdout.write(`
node-2 stays up until Ctrl-C.
  health    ${node.healthUrl}/readyz
  metrics   ${node.healthUrl}/metrics
  publish   npx millrace enqueue digest.file '{"path":"${file}"}' --queue digest --server ${server.url} --namespace ${NAMESPACE}
  or from any NATS client, one publish:
            nats pub --server ${server.url} ${NAMESPACE}.jobs.digest '{"name":"digest.file","payload":{"path":"${file}"}}'
`);
  await new Promise<void>((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
}
