import { systemClock, silentLogger } from "@millrace/core";
import { type HeldLease, takeLock } from "@millrace/runtime";
import { connect, type Millrace } from "millrace";
import { beforeEach, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually, within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { type CommandResult, millraceHere } from "./millrace.ts";

describeEachServer("millrace locks", (server) => {
  let client: Millrace;
  let env: Record<string, string>;
  let namespace: string;
  beforeEach(async () => {
    namespace = server.namespace();
    env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: namespace };
    client = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => client.close());
  });
  const run = (...args: string[]): Promise<CommandResult> => millraceHere(args, { env });

  async function held(name: string, leaseMs = 60_000): Promise<HeldLease> {
    // It is asked for once, an election ends a short lease, and a renewal changes the token.
    await server.calm();
    const { locks } = client.broker;
    const host = { locks, clock: systemClock, log: silentLogger, random: Math.random };
    const lease = await takeLock(host, { name, holder: "web-1:17", leaseMs, waitMs: 0 });
    if (lease === undefined) throw new Error(`${name} is held`);
    cleanUpLater(() => lease.release());
    return lease;
  }

  test("list shows who holds what, and of a prefix only", async () => {
    expect(await run("locks", "list")).toMatchObject({ code: 0, out: "no locks are held\n" });
    const { token } = await held("leader/scheduler");
    await client.lock("invoices", { lease: "90s" }, async () => {
      const all = (await run("locks", "list", "--json")).json<{ name: string }[]>();
      expect(all.map(({ name }) => name)).toEqual(["leader/scheduler", "user/invoices"]);
      const leaders = (await run("locks", "list", "--prefix", "leader/", "--json")).json();
      expect(leaders).toEqual([
        {
          name: "leader/scheduler",
          holder: "web-1:17",
          token,
          since: expect.any(Number),
          leaseMs: 60_000,
          leftMs: expect.any(Number),
          waiting: [],
        },
      ]);
      const { out } = await run("locks", "list", "--prefix", "user/");
      expect(out).toMatch(
        /^NAME +HOLDER +TOKEN +SINCE +LEASE +LEFT +WAITING\nuser\/invoices +\S+:\d+ +\d+ +\d{4}-\S+Z +1.5m .* 0\n$/,
      );
    });
  });

  test("list shows who waits, in this process and in others, and nobody any more who gave up", async () => {
    const other = await connect({
      servers: server.url,
      namespace,
      env: {},
    });
    cleanUpLater(() => other.close());
    await held("user/invoices");
    const from = Date.now();
    const enough = new AbortController();
    const waiting = [client, other].map((one) =>
      one.lock("invoices", { signal: enough.signal }, () => {}),
    );
    const list = async () =>
      (await run("locks", "list", "--json")).json<{ waiting: { holder: string }[] }[]>();
    await eventually(async () => (await list())[0]?.waiting.length === 2, {
      ...{ withinMs: 60_000, describe: "both are seen waiting" },
    });
    expect(await client.locks.waiting({ prefix: "user/" })).toEqual([
      ...Array.from({ length: 2 }, () => ({
        ...{ name: "user/invoices", holder: expect.stringMatching(/^\S+:\d+$/) as string },
        since: expect.toSatisfy((at: number) => at >= from && at <= Date.now()) as number,
      })),
    ]);
    expect(await client.locks.waiting({ prefix: "leader/" })).toEqual([]);
    expect((await run("locks", "list")).out).toMatch(/^user\/invoices .* 2$/m);
    enough.abort(new Error("enough"));
    await Promise.all(waiting.map((one) => expect(one).rejects.toThrow("enough")));
    await eventually(async () => (await list())[0]?.waiting.length === 0, {
      ...{ withinMs: 60_000, describe: "nobody is seen waiting" },
    });
  });

  test("release frees a lock; its holder, who lives, is told within a third of its lease", async () => {
    const lease = await held("leader/scheduler", 3_000);
    const told = new Promise((resolve) => lease.signal.addEventListener("abort", resolve));
    expect(await run("locks", "release", "leader/scheduler", "--json")).toMatchObject({ code: 2 });
    expect(lease.isHeld()).toBe(true);
    const released = await run("locks", "release", "leader/scheduler", "--yes", "--json");
    expect(released).toMatchObject({ code: 0 });
    expect(released.json()).toEqual({
      released: { name: "leader/scheduler", holder: "web-1:17", token: expect.any(Number) },
    });
    const next = await held("leader/scheduler", 3_000);
    expect(next.token).toBeGreaterThan(lease.token);
    await within(told, 20_000, "the first holder to be told");
    expect(lease.signal.reason).toMatchObject({ code: "lock-lost" });
    expect(next.isHeld()).toBe(true);
  });

  test("release says so where nobody holds the lock", async () => {
    expect(await run("locks", "release", "user/nobody", "--yes")).toMatchObject({
      code: 1,
      out: "nobody holds the lock user/nobody\n",
    });
    const { code, json } = await run("locks", "release", "user/nobody", "--json");
    expect([code, json()]).toEqual([1, { released: null }]);
  });
});
