import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { millraceHere } from "../cli/millrace.ts";
import { describeServer } from "../harness/servers.ts";

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
    const running = ["--state", "running", "--job-index", join(dir, "jobs.db")];
    expect(await run("jobs", "list", ...running)).toMatchObject({ code: 2 });
  });
});
