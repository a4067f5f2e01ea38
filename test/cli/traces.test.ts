import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, defineJob, fatal, runNode } from "millrace";
import { expect, onTestFinished, test, vi } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeServer } from "../harness/servers.ts";
import { millraceHere } from "./millrace.ts";

vi.setConfig({ testTimeout: 240_000 });

const JAEGER = "http://jaeger:16686/trace/{traceId}";
const OWN = { queue: "work" };
const fine = defineJob({ name: "fine", ...OWN });
const dies = defineJob({ name: "dies", ...OWN });
const held = defineJob({ name: "held", ...OWN, singleton: true });
const nobody = defineJob({ name: "nobody", queue: "idle" });

/** The trace of a job, by its place. */
const trace = (n: number): string => String(n).padStart(32, "a");

describeServer("traces of jobs that the command shows", "newest", (server) => {
  async function fleet() {
    const namespace = server.namespace();
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    const end = Promise.withResolvers<void>();
    const node = await runNode({
      ...{ servers: server.url, namespace, env: {}, healthHost: "127.0.0.1", healthPort: 0 },
      graceMs: 2_000,
      jobs: [
        fine.handler(() => "done"),
        dies.handler(() => fatal("no such customer")),
        held.handler(() => end.promise),
      ],
    });
    onTestFinished(async () => {
      end.resolve();
      await node.stop({ immediate: true });
    });
    const headers = (n: number) => ({ traceparent: `00-${trace(n)}-00f067aa0ba902b7-01` });
    return { client, headers, run: (...args: readonly string[]) => millraceHere(args, { env }) };
  }

  test("stand beside each, as an id or as the address of its page", async () => {
    const { client, headers, run } = await fleet();
    await client.queues.ensure("idle");
    const send = (n: number, job: typeof fine, more: object = {}) =>
      client.enqueue(job, null, { id: `j${n}`, headers: headers(n), ...more });
    await send(1, fine);
    await send(2, dies);
    await send(3, held);
    const sees = async (n: number, column: RegExp, ...args: readonly string[]) => {
      const { traceId } = await eventually(
        async () => {
          const rows = (await run(...args, "--json")).json<{ id: string; traceId?: string }[]>();
          return rows.find(({ id }) => id === `j${n}`);
        },
        { withinMs: 60_000, everyMs: 200, describe: `${args.join(" ")} shows j${n}` },
      );
      expect([args, traceId]).toEqual([args, trace(n)]);
      const shown = (await run(...args)).out;
      expect(shown).toMatch(column);
      expect(shown).toMatch(new RegExp(`^j${n} .* ${trace(n)}( |$)`, "m"));
      const linked = (await run(...args, "--trace-url", JAEGER)).out;
      expect(linked).toMatch(
        new RegExp(`^j${n} .* http://jaeger:16686/trace/${trace(n)}( |$)`, "m"),
      );
    };
    await sees(1, /^ID .* AT +TRACE$/m, "jobs", "list");
    await sees(2, /^ID .* AT +TRACE +ERROR$/m, "dead", "list");
    await sees(3, /^ID .* STARTED +TRACE$/m, "jobs", "list", "--state", "running");
    await send(4, held);
    await sees(4, /^ID .* SINCE +TRACE$/m, "jobs", "list", "--state", "blocked");
    await send(5, fine, { delay: "1h" });
    await sees(5, /^ID .* DUE +TRACE$/m, "jobs", "list", "--state", "delayed");
    await send(6, nobody);
    await sees(6, /^ID .* SINCE +TRACE$/m, "jobs", "list", "--state", "queued");

    const folder = await mkdtemp(join(tmpdir(), "millrace-traces-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const index = ["--job-index", join(folder, "jobs.db")];
    for (const n of [1, 2, 6]) await sees(n, /^ID .* AT +TRACE$/m, "jobs", "list", ...index);
  });

  test("end the lines of jobs watch, and are no column where no job was traced", async () => {
    const { client, headers, run } = await fleet();
    await client.enqueue(fine, null, { id: "j0" });
    await eventually(async () => (await run("jobs", "list")).out.includes("j0"), {
      ...{ withinMs: 60_000, describe: "the job is on record" },
    });
    expect((await run("jobs", "list")).out).toMatch(/^ID .* AT$/m);
    const watched = run("jobs", "watch", "--count", "2", "--for", "60s", "--trace-url", JAEGER);
    const asJson = run("jobs", "watch", "--name", "fine", "--count", "1", "--for", "60s", "--json");
    // Until both watches have seen one: they begin when they are connected.
    const seen = Promise.all([watched, asJson]);
    let done = false;
    void seen.then(() => (done = true));
    for (let n = 0; !done; n += 1) {
      const sent = await client.enqueue(fine, null, { id: `t${n}`, headers: headers(7) });
      await sent.result();
    }
    const [text, json] = await seen;
    const line = new RegExp(`trace http://jaeger:16686/trace/${trace(7)}$`, "m");
    expect(text.out).toMatch(line);
    expect(JSON.parse(json.out.trim())).toMatchObject({ name: "fine", traceId: trace(7) });
  });
});
