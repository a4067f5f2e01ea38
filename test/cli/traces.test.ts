import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, defineJob, defineMachine, defineSchedule, fatal, runNode } from "millrace";
import { telemetry } from "millrace/telemetry";
import { expect, onTestFinished, test, vi } from "vitest";
import { type PromiseActorLogic, setup } from "xstate";
import { eventually } from "../harness/deadline.ts";
import { recordSpansInMemory } from "../harness/sdk-spans.ts";
import { describeServer } from "../harness/servers.ts";
import { millraceHere } from "./millrace.ts";

vi.setConfig({ testTimeout: 240_000 });

const JAEGER = "http://jaeger:16686/trace/{traceId}";
const OWN = { queue: "work" };
const fine = defineJob({ name: "fine", ...OWN });
const dies = defineJob({ name: "dies", ...OWN });
const held = defineJob({ name: "held", ...OWN, singleton: true });
const nobody = defineJob({ name: "nobody", queue: "idle" });
const pays = defineMachine({
  name: "pays",
  machine: setup({ actors: { pay: {} as PromiseActorLogic<unknown> } }).createMachine({
    initial: "paying",
    states: { paying: { invoke: { id: "payment", src: "pay" } } },
  }),
  jobs: { pay: nobody },
});

/** The trace of a job, by its place. */
const trace = (n: number): string => String(n).padStart(32, "a");

describeServer("traces of jobs that the command shows", "newest", (server) => {
  async function fleet(more: Partial<Parameters<typeof runNode>[0]> = {}) {
    const namespace = server.namespace();
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    const end = Promise.withResolvers<void>();
    const node = await runNode({
      ...{ servers: server.url, namespace, env: {}, healthHost: "127.0.0.1", healthPort: 0 },
      ...{ graceMs: 2_000, ...more },
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
    return {
      ...{ client, headers, run: (...args: readonly string[]) => millraceHere(args, { env }) },
      /** The command as it is where a variable asks for traces. */
      traced: (...args: readonly string[]) =>
        millraceHere(args, { env: { ...env, OTEL_SERVICE_NAME: "shop" } }),
    };
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
    const waits = await run("jobs", "get", "j4");
    expect(waits.out).toMatch(new RegExp(`^waits for .* now j3 \\(trace ${trace(3)}\\) on `, "m"));
    expect((await run("jobs", "get", "j4", "--trace-url", JAEGER)).out).toContain(
      `now j3 (trace http://jaeger:16686/trace/${trace(3)}) on `,
    );
    expect((await run("jobs", "get", "j4", "--json")).json()).toMatchObject({
      hold: { jobs: [{ id: "j3", traceId: trace(3) }] },
    });
    await send(5, fine, { delay: "1h" });
    await sees(5, /^ID .* DUE +TRACE$/m, "jobs", "list", "--state", "delayed");
    await send(6, nobody);
    await sees(6, /^ID .* SINCE +TRACE$/m, "jobs", "list", "--state", "queued");

    const folder = await mkdtemp(join(tmpdir(), "millrace-traces-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const index = ["--job-index", join(folder, "jobs.db")];
    for (const n of [1, 2, 6]) await sees(n, /^ID .* AT +TRACE$/m, "jobs", "list", ...index);
  });

  test("stand beside what an operation was about", async () => {
    const { client, headers, run } = await fleet();
    await client.queues.ensure("idle");
    await client.enqueue(nobody, null, { id: "j8", headers: headers(8) });
    await client.enqueue(nobody, null, { id: "j9" });
    await client.enqueue(dies, null, { id: "j2", headers: headers(2) });
    await eventually(async () => (await run("dead", "list")).out.includes("j2"), {
      ...{ withinMs: 60_000, describe: "the letter is there" },
    });
    const { id: cancels } = await client.operations.start({
      ...{ kind: "jobs-cancel", filter: { queue: "idle" } },
    });
    const { id: discards } = await client.operations.start({
      ...{ kind: "dead-discard", filter: { queue: "work" } },
    });
    for (const operation of [cancels, discards]) await client.operations.run(operation);
    for (const [operation, n] of [
      [cancels, 8],
      [discards, 2],
    ] as const) {
      const get = ["operations", "get", operation, "--items"];
      const { items } = (await run(...get, "--json")).json<{ items: object[] }>();
      expect(items).toContainEqual(
        expect.objectContaining({ id: `j${n}`, outcome: "done", traceId: trace(n) }),
      );
      const linked = (await run(...get, "--trace-url", JAEGER)).out;
      expect(linked).toMatch(new RegExp(` j${n} .* http://jaeger:16686/trace/${trace(n)}$`, "m"));
    }
    const undone = await client.operations.undo(cancels, {});
    expect((await client.operations.items(undone.id))[0]).toMatchObject({ traceId: trace(8) });
  });

  test("stand beside what an operation could not change, with the reason", async () => {
    const { client, headers, run } = await fleet();
    await client.enqueue(dies, null, { id: "j2", headers: headers(2) });
    const hasDied = (times: number) =>
      eventually(async () => (await client.job("j2")).history.length === times, {
        ...{ withinMs: 60_000, describe: `j2 has died ${times} times` },
      });
    await hasDied(1);
    const retry = await client.operations.start({ kind: "dead-retry", filter: { queue: "work" } });
    await client.operations.run(retry.id);
    await hasDied(2);
    const undo = await run("operations", "undo", retry.id, "--trace-url", JAEGER);
    const line = `failed j2 \\(trace http://jaeger:16686/trace/${trace(2)}\\): .*undo-impossible`;
    expect(undo.out).toMatch(new RegExp(line, "m"));
    const id = /operation (\S+) has begun/.exec(undo.err)?.[1] ?? "";
    for (const items of [[], ["--items"]]) {
      const get = ["operations", "get", id, ...items];
      expect((await run(...get, "--trace-url", JAEGER)).out).toMatch(new RegExp(line, "m"));
      expect((await run(...get)).out).toMatch(
        new RegExp(`^failed j2 \\(trace ${trace(2)}\\): `, "m"),
      );
      expect((await run(...get, "--json")).json()).toMatchObject({
        failures: [{ id: "j2", traceId: trace(2) }],
      });
    }
  });

  test("stand beside the last job of a cause and in records", async () => {
    const { client, headers, run } = await fleet();
    await client.enqueue(dies, null, { id: "j2", headers: headers(2) });
    for (const args of [["dead", "list", "--group"], ["errors"], ["records"]]) {
      await eventually(async () => (await run(...args)).out.includes("j2"), {
        ...{ withinMs: 60_000, describe: `${args.join(" ")} shows j2` },
      });
      const [row] = (await run(...args, "--json")).json<object[]>();
      expect([args, row]).toMatchObject([
        args,
        { [args[0] === "records" ? "traceId" : "lastTraceId"]: trace(2) },
      ]);
      expect((await run(...args)).out).toMatch(new RegExp(` j2 .*  ${trace(2)}  `, "m"));
      expect((await run(...args, "--trace-url", JAEGER)).out).toMatch(
        new RegExp(` j2 .*  http://jaeger:16686/trace/${trace(2)}  `, "m"),
      );
    }
    const retry = ["dead", "retry", "j2", "--reason", "expired"];
    expect((await run(...retry)).out).toMatch(
      new RegExp(`^failed j2 \\(trace ${trace(2)}\\): `, "m"),
    );
    expect((await run(...retry, "--json")).json()).toMatchObject({
      failed: [{ id: "j2", traceId: trace(2) }],
    });
  });

  test("stand beside what a schedule has enqueued", async () => {
    const spans = recordSpansInMemory();
    onTestFinished(() => spans.stop());
    const { run } = await fleet({
      instrumentation: telemetry(),
      schedules: [
        defineSchedule({ name: "each-second", cron: "* * * * * *", job: fine, input: null }),
      ],
    });
    const history = ["cron", "history", "each-second", "--limit", "3"];
    const traceId = await eventually(
      async () => {
        const events = (await run(...history, "--json")).json<
          { latest: { traceId?: string } | null }[]
        >();
        return events.find(({ latest }) => latest?.traceId !== undefined)?.latest?.traceId;
      },
      { withinMs: 60_000, everyMs: 200, describe: "a tick's job has run" },
    );
    expect(traceId).toMatch(/^[0-9a-f]{32}$/);
    expect((await run(...history)).out).toMatch(/^AT .* STATE +TRACE$/m);
    expect((await run(...history, "--trace-url", JAEGER)).out).toMatch(
      /succeeded +http:\/\/jaeger:16686\/trace\/[0-9a-f]{32}$/m,
    );
  });

  test("stand beside a job that a command publishes, where it publishes it in a trace", async () => {
    const spans = recordSpansInMemory();
    onTestFinished(() => spans.stop());
    const { client, headers, run, traced } = await fleet({
      schedules: [defineSchedule({ name: "yearly", cron: "0 0 1 1 *", job: fine, input: null })],
    });
    await client.queues.ensure("idle");
    await client.enqueue(dies, null, { id: "j2", headers: headers(2) });
    await eventually(async () => (await run("dead", "list")).out.includes("j2"), {
      ...{ withinMs: 60_000, describe: "the letter is there" },
    });
    /** An SDK hands on a span a moment after it has ended. */
    const isPublished = (traceId: string | undefined) =>
      eventually(
        async () =>
          spans
            .spans()
            .some((span) => span.name.startsWith("publish ") && span.traceId === traceId),
        { withinMs: 20_000, describe: `a publish in the trace ${traceId}` },
      );
    const edit = ["dead", "edit", "j2"];
    for (const [index, args] of [
      ["enqueue", "nobody", "--queue", "idle"],
      ["cron", "run", "yearly"],
    ].entries()) {
      const { traceId } = (await traced(...args, "--json")).json<{ traceId?: string }>();
      expect([index, traceId]).toEqual([index, expect.stringMatching(/^[0-9a-f]{32}$/)]);
      await isPublished(traceId);
      const { out } = await traced(...args, "--trace-url", JAEGER);
      expect(out).toMatch(
        /^enqueued \S+ on queue \S+ \(trace http:\/\/jaeger:16686\/trace\/\S+\)$/m,
      );
      await isPublished(/[0-9a-f]{32}/.exec(out)?.[0]);
      expect((await run(...args, "--json")).json()).not.toHaveProperty("traceId");
    }
    const { edited } = (await traced(...edit, "1", "--json")).json<{
      edited: { traceId?: string }[];
    }>();
    expect(edited).toMatchObject([{ id: "j2", queue: "work" }]);
    await isPublished(edited[0]?.traceId);
    // One that was there before is in the trace of its own publish.
    const again = ["enqueue", "nobody", "--queue", "idle", "--id", "once"];
    expect((await traced(...again)).out).toMatch(/^enqueued once on queue idle \(trace /);
    expect((await traced(...again)).out).toBe("already enqueued once on queue idle\n");
  });

  test("stand beside the jobs that a machine waits for", async () => {
    const spans = recordSpansInMemory();
    onTestFinished(() => spans.stop());
    const { client, run } = await fleet({ machines: [pays], instrumentation: telemetry() });
    await client.queues.ensure("idle");
    await client.machine("pays", "p-1").start();
    const get = ["machines", "get", "pays", "p-1"];
    const [job, traceId] = await eventually(
      async () => {
        const shown = await run(...get, "--json");
        if (shown.code !== 0) return undefined;
        const { payment } = shown.json<{
          jobs: Record<string, { job: string; traceId?: string }>;
        }>().jobs;
        return payment?.traceId === undefined ? undefined : [payment.job, payment.traceId];
      },
      { withinMs: 60_000, everyMs: 200, describe: "the machine waits for its job" },
    );
    expect(traceId).toBe((await client.job(job ?? "", { queue: "idle" })).traceId);
    expect((await run(...get)).out).toMatch(
      new RegExp(`^waits for +payment: job ${job} \\(idle\\) \\(trace ${traceId}\\)$`, "m"),
    );
    expect((await run(...get, "--trace-url", JAEGER)).out).toContain(
      ` (trace http://jaeger:16686/trace/${traceId})`,
    );
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
