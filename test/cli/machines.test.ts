import { join } from "node:path";
import { type MachineDocument, machineKey, MACHINES_BUCKET } from "@millrace/core";
import { connect } from "millrace";
import { expect, test, vi } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { patient } from "../harness/cluster/mode.ts";
import { describeEachServer } from "../harness/servers.ts";
import { type CommandResult, millraceHere, startMillrace } from "./millrace.ts";

vi.setConfig({ testTimeout: patient(240_000) });

const fixture = (name: string): string => join(import.meta.dirname, "fixtures", name);
const FILE = fixture("door.ts");

/** What the audit says of what was done to a machine: of its input and events no value. */
const recorded = (action: string, id: string, count = 1) => ({
  ...{ action, filter: { machine: "door", id } },
  outcome: { state: "done", count, failed: 0 },
});

describeEachServer("millrace machines", (server) => {
  test("a file with a machine is run; it is started, listed, shown, sent, stopped and forgotten", async () => {
    const namespace = server.namespace();
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const run = (...args: string[]): Promise<CommandResult> =>
      millraceHere(["machines", ...args], { env });
    const node = startMillrace(["run", FILE, "--json", "--health-port", "0"], env);
    const line = await node.line(/"machines"/, 120_000);
    expect(JSON.parse(line)).toMatchObject({ machines: ["door"], jobs: [], queues: ["machines"] });
    const client = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => client.close());

    expect(await run("list")).toMatchObject({ code: 0, out: "no machines\n" });
    expect(await run("get", "door", "d-1")).toMatchObject({ code: 1 });
    const started = await run("start", "door", "d-1", '{"token":"s3cret"}', "--json");
    expect(started.json()).toEqual({ machine: "door", id: "d-1" });
    await client.machine("door", "d-1").waitFor((one) => one.matches("waiting"), { timeout: "1m" });

    const { out } = await run("list", "door", "--status", "active");
    expect(out).toMatch(
      /^MACHINE +ID +STATUS +STATE +NEXT TIMER +CHANGED\ndoor +d-1 +active +waiting\.quiet +2\d/,
    );
    const listed = (await run("list", "--json", "--limit", "1", "--state", "waiting")).json();
    expect(listed).toMatchObject({ machines: [{ context: { token: "***", by: "" } }] });
    expect(listed).not.toHaveProperty("next");
    const shown = await run("get", "door", "d-1");
    expect(shown.out).toMatch(/state +waiting\.quiet \(active\)/);
    expect(shown.out).toMatch(/waits for +xstate\.after\.86400000\.\S+ at 2/);
    expect(shown.out).toMatch(/xstate\.done\.actor\.\S+ +waiting\.quiet/);
    expect(shown.out).not.toContain("s3cret");
    const chart = await run("chart", "door", "d-1");
    expect(chart.out).toMatch(/^stateDiagram-v2\n/);
    expect(chart.out).toContain("\n  waiting --> gone: after 1d\n");
    expect(chart.out).toContain("\n  class waiting__quiet active\n");
    expect((await run("chart", "door", "--json")).json()).toMatchObject({
      ...{ machine: "door", version: 1, active: [] },
    });
    expect(await run("chart", "window")).toMatchObject({ code: 1 });
    const open = await run("get", "door", "d-1", "--show-payload", "--json");
    expect(open.json()).toMatchObject({ context: { token: "s3cret" }, status: "active" });

    expect(await run("remove", "door", "d-1", "--yes")).not.toMatchObject({ code: 0 });
    const sent = await run(
      "send",
      "door",
      "d-1",
      '{"type":"GO","by":"ada"}',
      "--event-id",
      "e-1",
      "--json",
    );
    expect(sent.json()).toEqual({ machine: "door", id: "d-1", event: "GO" });
    const gone = await client
      .machine("door", "d-1")
      .waitFor(({ status }) => status === "done", { timeout: "1m" });
    expect(gone.context).toEqual({ token: "s3cret", by: "ada" });
    expect((await run("remove", "door", "d-1", "--yes", "--json")).json()).toEqual({
      removed: true,
    });
    expect((await run("remove", "door", "d-1", "--yes", "--json")).json()).toEqual({
      removed: false,
    });

    await run("start", "door", "d-3", '{"token":"y"}');
    await client.machine("door", "d-3").waitFor((one) => one.matches("waiting"), { timeout: "1m" });
    expect((await run("migrate", FILE, "--check", "--json")).json()).toEqual({
      ...{ checked: 1, migrated: 0, busy: 0, failed: [] },
    });
    const changed = await run("migrate", fixture("changed-door.ts"), "--check");
    expect(changed).toMatchObject({ code: 1 });
    expect(changed.out).toMatch(/door +d-3 +1 +waiting\.quiet +.*'waiting'/);

    for (const also of [[], ["--json"]]) {
      const leaky = await run("migrate", fixture("leaky-door.ts"), "--check", ...also);
      expect(leaky).toMatchObject({ code: 1 });
      expect(leaky.out).toContain("nobody answers at postgres://");
      expect(leaky.out).not.toMatch(/hunter2|s3cret/);
    }

    await run("start", "door", "d-2", '{"token":"x"}');
    expect((await run("stop", "door", "d-2", "--yes", "--json")).json()).toEqual({ stopped: true });
    await client
      .machine("door", "d-2")
      .waitFor(({ status }) => status === "stopped", { timeout: "1m" });
    expect(await run("send", "door", "d-2", '{"by":"ada"}')).not.toMatchObject({ code: 0 });

    const versionOf = async () => (await client.machine("door", "d-3").snapshot()).version;
    const newer = fixture("newer-door.ts");
    const done = { checked: 1, migrated: 1, busy: 0, failed: [] };
    expect((await run("migrate", newer, "--check", "--json")).json()).toEqual(done);
    expect(await versionOf()).toBe(1);
    expect((await run("migrate", newer, "--yes", "--json")).json()).toEqual(done);
    expect(await versionOf()).toBe(2);
    expect((await run("migrate", newer, "--yes", "--json")).json()).toMatchObject({ migrated: 0 });
    // No node takes an event of this machine now, so it can't be stopped.
    expect((await run("remove", "door", "d-3", "--force", "--yes", "--json")).json()).toEqual({
      removed: true,
    });
    expect(await run("get", "door", "d-3")).toMatchObject({ code: 1 });
    const audit = (await client.audit.list()).map(({ action, filter, outcome }) => ({
      ...{ action, filter, outcome },
    }));
    expect(audit).toEqual(
      expect.arrayContaining([
        recorded("machines start", "d-1"),
        {
          ...recorded("machines send", "d-1"),
          filter: { machine: "door", id: "d-1", event: "GO" },
        },
        recorded("machines stop", "d-2"),
        recorded("machines remove", "d-1"),
        recorded("machines remove", "d-1", 0),
        {
          ...{ action: "machines send", filter: { machine: "door", id: "d-2" } },
          outcome: expect.objectContaining({ state: "failed", code: "invalid-message" }) as object,
        },
        expect.objectContaining({ action: "machines migrate" }) as object,
      ]),
    );
    expect(JSON.stringify(audit)).not.toMatch(/s3cret|ada/);
    node.signal("SIGTERM");
    expect(await node.exit(60_000)).toMatchObject({ code: 0 });
  });

  test("before a machine is forgotten, the command says what is lost with it", async () => {
    const namespace = server.namespace();
    const env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    const remove = (...args: string[]): Promise<CommandResult> =>
      millraceHere(["machines", "remove", "door", ...args], { env });
    const client = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => client.close());
    const documents = await client.broker.documents(MACHINES_BUCKET);
    const to = { machine: "stock", id: "all" };
    const kept = { do: "send", to, event: { type: "RESERVE" }, id: "e-1" } as const;
    const put = (id: string, changes: Partial<MachineDocument>) => {
      const one: MachineDocument = {
        ...{ v: 1, machine: "door", id, version: 1, run: "r", rev: 1, status: "active" },
        ...{ value: "open", context: {}, cursor: 1, cause: "inbox/1", pending: [], children: {} },
        ...{ invoked: 0, timers: {}, tickRev: 0, seen: [], trail: [], startedAt: 0, changedAt: 0 },
        ...changes,
      };
      return documents.put(machineKey(one), one, 0);
    };
    await put("ended", { status: "done", unsent: { events: [kept, kept], at: 0 } });
    await put("bare", { status: "stopped" });
    await put("active", {
      ...{ value: "op\u001B[31men", unsent: { events: [kept], at: 0 } },
      timers: { t: { at: 9e12, event: { type: "LATE" } } },
    });

    const ended = await remove("ended", "--force");
    expect(ended.code).not.toBe(0);
    expect(ended.err).toContain(
      "It has ended (done), and 2 events that it keeps for other machines are lost. Forget it?",
    );
    const bare = await remove("bare", "--force");
    expect(bare.err).toContain("Nothing of door bare will be left. Forget it?");
    const active = await remove("active", "--force");
    expect(active.err).toContain(
      "It is active (open): 1 timers will not fire, nobody will hear how 0 of its jobs end, and 1 events that it keeps for other machines are lost.",
    );
    for (const flags of [[], ["--force"], ["--yes"], ["--force", "--yes"]]) {
      const missing = await remove("none", ...flags);
      expect(missing, flags.join(" ")).toMatchObject({
        ...{ code: 1, err: "" },
        out: "there is no such machine, or it changed at this very moment: try again\n",
      });
    }
    expect((await documents.list()).map(({ key }) => key).toSorted()).toEqual([
      ...["door.active", "door.bare", "door.ended"],
    ]);
  });
});
