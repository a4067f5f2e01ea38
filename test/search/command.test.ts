import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { millraceHere, startMillrace } from "../cli/millrace.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { describeServer } from "../harness/servers.ts";

const LONG_MS = 60_000;

describeServer("millrace jobs list --job-index", "newest", (server) => {
  test("finds jobs by what they were given, in a file that the next call goes on with", async () => {
    const dir = await mkdtemp(join(tmpdir(), "millrace-index-"));
    onTestFinished(() => rm(dir, { recursive: true }));
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: server.namespace() };
    const run = (...args: string[]) => millraceHere(args, { env });
    const find = (filter: string) =>
      run("jobs", "list", "--job-index", join(dir, "jobs.db"), "--filter", filter, "--json");
    expect((await run("queues", "create", "work")).code).toBe(0);
    for (const id of ["a1", "a2"])
      await run(...["enqueue", "pay", `{"customer":"${id}"}`, "--queue", "work", "--id", id]);
    expect((await find("payload.customer:a1")).json()).toMatchObject([
      { id: "a1", state: "queued", payload: { customer: "a1" } },
    ]);
    await run(...["enqueue", "pay", `{"customer":"a3"}`, "--queue", "work", "--id", "a3"]);
    const found = await find("payload.customer:a1 OR payload.customer:a3");
    expect(found.json<{ id: string }[]>().map(({ id }) => id)).toEqual(["a3", "a1"]);
    const wrong = await find("payload.customer:a1 (");
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.err + wrong.out).toMatch(/invalid-filter.*at character/s);
  });

  test("where jobs are now is asked of the fleet, although an index is configured", async () => {
    const env = {
      ...{ MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: server.namespace() },
      // Nobody opens it: nothing is there.
      MILLRACE_JOB_INDEX_POSTGRES: "postgres://127.0.0.1:1/none",
    };
    const run = (...args: string[]) => millraceHere(args, { env });
    expect((await run("queues", "create", "work")).code).toBe(0);
    await run(...["enqueue", "pay", `{"customer":"a1"}`, "--queue", "work", "--id", "a1"]);
    const inState = async (state: string) =>
      (await run("jobs", "list", "--state", state, "--json")).json();
    expect(await inState("queued")).toMatchObject([{ id: "a1", state: "queued" }]);
    for (const state of ["running", "delayed", "blocked"]) expect(await inState(state)).toEqual([]);
    expect(await run("jobs", "list", "--state", "dead")).toMatchObject({ code: 1 });
  });

  test("keeps as much as the flags say: jobs of another age leave it", async () => {
    const dir = await mkdtemp(join(tmpdir(), "millrace-index-"));
    onTestFinished(() => rm(dir, { recursive: true }));
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: server.namespace() };
    const run = (...args: string[]) => millraceHere(args, { env });
    const find = (...bounds: string[]) =>
      run("jobs", "list", "--job-index", join(dir, "jobs.db"), ...bounds, "--json");
    await run("queues", "create", "work");
    await run(...["enqueue", "pay", "{}", "--queue", "work", "--id", "a1"]);
    expect((await find()).json()).toMatchObject([{ id: "a1" }]);
    expect((await find("--job-index-keep", "1ms")).json()).toEqual([]);
    // A bound that is none is refused, and says which it is.
    for (const [flag, value] of [
      ["--job-index-keep", "0"],
      ["--job-index-max-mb", "0"],
      ["--job-index-max-mb", "much"],
    ] as const) {
      const refused = await find(flag, value);
      expect(refused).toMatchObject({ code: 2 });
      expect(refused.err + refused.out).toMatch(
        /invalid-option.*job-?index(Keep|MaxMb|-keep|-max)/is,
      );
    }
  });

  test("answers from the file that a dashboard keeps, and keeps it once that one was killed", async () => {
    const dir = await mkdtemp(join(tmpdir(), "millrace-index-"));
    // First, so that it is carried out last.
    cleanUpLater(() => rm(dir, { recursive: true }));
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: server.namespace() };
    const file = ["--job-index", join(dir, "jobs.db")];
    const run = (...args: string[]) => millraceHere(args, { env });
    const find = async (filter: string) =>
      (await run("jobs", "list", ...file, "--filter", filter, "--json"))
        .json<{ id: string }[]>()
        .map(({ id }) => id);
    const enqueue = (id: string) =>
      run(...["enqueue", "pay", `{"customer":"${id}"}`, "--queue", "work", "--id", id]);
    expect((await run("queues", "create", "work")).code).toBe(0);
    const ui = startMillrace(["ui", "--ui-port", "0", "--json", ...file], env);
    await ui.line(/"url"/, LONG_MS);
    for (const id of ["a1", "a2"]) {
      await enqueue(id);
      expect(await find(`payload.customer:${id}`)).toEqual([id]);
    }
    await ui.kill();
    await enqueue("a3");
    expect(await find("payload.customer:a*")).toEqual(["a3", "a2", "a1"]);
  });
});
