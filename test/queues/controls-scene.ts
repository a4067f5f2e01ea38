import { connect } from "millrace";
import { defineJob } from "@millrace/core";
import { onTestFinished } from "vitest";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { startNodeOnServer } from "../harness/node-on-server.ts";
import type { TestServer } from "../harness/servers.ts";
import { millraceHere } from "../cli/millrace.ts";

/** A namespace with two queues, what its jobs did, and the command in it. */
export async function scene(server: TestServer) {
  const namespace = server.namespace();
  const starts: { readonly id: string; readonly atMs: number }[] = [];
  const ends = new Map<string, () => void>();
  const job = defineJob({ name: "t", queue: "work" });
  const marker = defineJob({ name: "marker", queue: "marker" });
  const jobs = [
    job.handler(async ({ input, job: { id } }) => {
      starts.push({ id, atMs: performance.now() });
      if (input === "hold") await new Promise<void>((resolve) => ends.set(id, resolve));
    }),
    marker.handler(() => undefined),
  ];
  const client = await connect({ servers: server.url, namespace, env: {} });
  onTestFinished(() => client.close());
  for (const queue of ["work", "marker"]) await client.queues.ensure(queue);
  const node = (options: { readonly slots?: number } = {}) =>
    startNodeOnServer(server, { namespace, jobs, slots: 10, ...options });
  /** Another queue's job is enqueued and done: what would have been started before has been. */
  const turn = async (): Promise<void> => {
    const handle = await client.enqueue(marker, null);
    await handle.result({ timeout: patient(20_000) });
  };
  const hasStarted = (id: string) =>
    eventually(() => starts.some((start) => start.id === id), {
      withinMs: 20_000,
      describe: `job ${id} starts`,
    });
  const cli = (...args: string[]) =>
    millraceHere(args, { env: { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace } });
  return { namespace, client, job, starts, ends, node, turn, hasStarted, cli };
}
