import { fileURLToPath } from "node:url";
import { beforeEach, expect, test, vi } from "vitest";
import { type CommandResult, millraceHere, startMillrace } from "../cli/millrace.ts";
import { patient } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

const JOBS = fileURLToPath(new URL("jobs.ts", import.meta.url));
// Some thirty commands, each with a connection of its own, which an election may keep waiting.
vi.setConfig({ testTimeout: patient(180_000) });

interface ListedJson {
  readonly name: string;
  readonly origin: string;
  readonly paused: boolean;
  readonly next: number | null;
  readonly fired: number;
  readonly payload: object;
  readonly seen: { readonly node: string } | null;
}
interface EventJson {
  readonly what: string;
  readonly id?: string;
  readonly latest: { readonly state: string; readonly output?: object } | null;
}

describeEachServer("millrace cron", (server) => {
  let env: Record<string, string>;
  beforeEach(() => {
    env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: server.namespace() };
  });
  const cron = (...args: readonly string[]): Promise<CommandResult> =>
    millraceHere(["cron", ...args, "--json"], { env });
  const list = async (): Promise<readonly ListedJson[]> =>
    (await cron("list")).json<ListedJson[]>();

  test("a schedule of a job file runs; others are added, paused, resumed, run, looked at and removed", async () => {
    expect(await list()).toEqual([]);
    expect((await cron("pause", "nightly")).json()).toMatchObject({
      error: { code: "schedule-not-found" },
    });

    const node = startMillrace(["run", JOBS, "--health-port", "0", "--json"], env);
    expect(JSON.parse(await node.line(/"healthUrl"/, 90_000))).toMatchObject({
      schedules: ["every-second"],
    });
    const listed = await eventually(
      async () => {
        const [first] = await list();
        // Who has it is noted beside the start of the node, which does not wait for that.
        return (first?.fired ?? 0) >= 2 && first?.seen !== null ? first : undefined;
      },
      { withinMs: 20_000, describe: "two ticks are enqueued, and it is noted by whom" },
    );
    expect(listed).toMatchObject({
      name: "every-second",
      origin: "code",
      paused: false,
      payload: { kind: "often" },
      seen: { node: expect.any(String) as string },
    });
    expect((await millraceHere(["cron", "list"], { env })).out).toMatch(
      /^NAME .*\nevery-second .* code /,
    );

    const added = ["add", "leap", "0 0 29 2 *", "report", '{"kind":"rare"}', "--queue", "reports"];
    expect(await cron(...added)).toMatchObject({ code: 0 });
    expect((await cron(...added)).json()).toMatchObject({ name: "leap" });
    const other = [...added, "--timezone", "Europe/Berlin", "--missed", "all:3"];
    expect((await cron(...other)).json()).toMatchObject({ error: { code: "schedule-exists" } });
    expect(await cron(...other, "--replace")).toMatchObject({ code: 0 });
    const [next = 0] = (await cron("next", "leap", "--count", "1")).json<number[]>();
    expect(new Date(next).toISOString()).toMatch(/-02-28T23:00:00.000Z$/);
    expect((await cron("next", "leap", "--count", "3")).json()).toHaveLength(3);

    const { id } = (await cron("run", "leap")).json<{ id: string }>();
    const [event] = await eventually(
      async () => {
        const events = (await cron("history", "leap")).json<EventJson[]>();
        return events[0]?.latest === null ? undefined : events;
      },
      { withinMs: 20_000, describe: "the run has ended" },
    );
    expect(event).toMatchObject({
      what: "run",
      id,
      // A result may hold secrets.
      latest: { state: "succeeded", output: { kind: "rare", token: "***" } },
    });

    expect((await cron("pause", "every-second")).json()).toEqual({ paused: "every-second" });
    const { fired } = (await list()).find(({ name }) => name === "every-second") ?? { fired: 0 };
    await eventually(async () => (await list())[0]?.paused, {
      withinMs: 20_000,
      describe: "it is shown as paused",
    });
    expect((await list())[0]).toMatchObject({ next: null });
    const resumed = await cron("resume", "every-second");
    expect(resumed.json<{ next: number }>().next).toBeGreaterThan(Date.now() - 5_000);
    await eventually(async () => ((await list())[0]?.fired ?? 0) > fired, {
      withinMs: 20_000,
      describe: "it goes on",
    });

    const changed = await cron("change", "leap", '{"kind":"rare"}', "--overlap", "skip");
    expect(changed.json()).toMatchObject({ name: "leap", next: expect.any(Number) as number });
    expect((await list()).find(({ name }) => name === "leap")).toMatchObject({
      payload: { kind: "rare" },
      overlap: "skip",
    });
    expect((await cron("change", "every-second", "--cron", "0 0 * * *")).json()).toMatchObject({
      error: { code: "schedule-exists" },
    });
    expect((await cron("change", "leap")).json()).toMatchObject({
      error: { code: "invalid-option" },
    });
    expect((await cron("remove", "leap")).json()).toEqual({ removed: "leap" });
    expect((await list()).map(({ name }) => name)).toEqual(["every-second"]);
    const audit = await millraceHere(["audit", "list", "--action", "cron", "--json"], { env });
    const changes =
      audit.json<{ action: string; filter: { name: string }; outcome: { state: string } }[]>();
    expect(
      changes.map(({ action, filter, outcome }) => [action, filter.name, outcome.state]).reverse(),
    ).toEqual([
      ["cron pause", "nightly", "failed"],
      ["cron add", "leap", "done"],
      ["cron add", "leap", "done"],
      ["cron add", "leap", "failed"],
      ["cron add", "leap", "done"],
      ["cron run", "leap", "done"],
      ["cron pause", "every-second", "done"],
      ["cron resume", "every-second", "done"],
      ["cron change", "leap", "done"],
      ["cron change", "every-second", "failed"],
      ["cron remove", "leap", "done"],
    ]);
    node.signal("SIGTERM");
    expect((await node.exit(90_000)).code).toBe(0);
  });

  test.each<[what: string, args: readonly string[], code: string, exit: number]>([
    ["an expression that is none", ["add", "a", "daily", "report"], "invalid-schedule", 2],
    [
      "a zone that is none",
      ["add", "a", "* * * * *", "r", "--timezone", "X/Y"],
      "invalid-schedule",
      2,
    ],
    [
      "a policy that is none",
      ["add", "a", "* * * * *", "r", "--missed", "all"],
      "invalid-option",
      2,
    ],
    ["a name that can't be", ["add", "a.b", "* * * * *", "r"], "invalid-name", 2],
    ["a schedule that is not there", ["run", "a"], "schedule-not-found", 1],
  ])("%s is refused", async (_what, args, code, exit) => {
    const refused = await cron(...args);
    expect(refused.json()).toMatchObject({ error: { code } });
    expect(refused.code).toBe(exit);
  });
});
