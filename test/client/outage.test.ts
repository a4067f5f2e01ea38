import { connect, defineJob, type Millrace } from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { eventually, within } from "../harness/deadline.ts";
import { type NatsProxy as Line, startProxy } from "../harness/proxy.ts";
import { describeEachServer } from "../harness/servers.ts";

const QUEUE = "orders";
const order = defineJob<{ n: number }>({ name: "order", queue: QUEUE });

describeEachServer("a producer in an outage", (server) => {
  /** A client behind a line that can be cut, and one that always sees what the server has. */
  async function scene(): Promise<{ client: Millrace; line: Line; observer: Millrace }> {
    const line = await startProxy(server.url);
    const namespace = server.namespace();
    const observer = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => observer.close());
    await observer.queues.ensure(QUEUE);
    const client = await connect({ servers: line.url, namespace, env: {} });
    onTestFinished(() => client.close());
    return { client, line, observer };
  }

  async function cut(client: Millrace, line: Line): Promise<void> {
    const gone = statusChange(client, "disconnected");
    line.cut();
    await within(gone, 20_000, "the client notices the outage");
  }

  async function heal(client: Millrace, line: Line): Promise<void> {
    const back = statusChange(client, "connected");
    line.heal();
    await within(back, 20_000, "the client is connected again");
  }

  const waiting = async (observer: Millrace): Promise<number> =>
    (await observer.queues.snapshot(QUEUE)).queued;

  test("an enqueue whose time is over says that it was never sent, and is not sent afterwards", async () => {
    const { client, line, observer } = await scene();
    await cut(client, line);
    const brief = client.with({ timeout: "200ms" });
    const error: unknown = await within(
      brief.enqueue(order, { n: 1 }).catch((caught: unknown) => caught),
      10_000,
      "the enqueue gives up",
    );
    expect(error).toMatchObject({
      code: "publish-timeout",
      message: expect.stringMatching(
        /was never sent\. There is no connection to the server/,
      ) as string,
    });
    const many = await within(
      brief.enqueueMany(
        order,
        Array.from({ length: 3_000 }, (_, n) => ({ input: { n } })),
      ),
      10_000,
      "the bulk enqueue gives up",
    );
    expect(many).toHaveLength(3_000);
    expect(many.every((one) => !one.ok && one.error.code === "publish-timeout")).toBe(true);
    await heal(client, line);
    // Behind whatever might still be sent.
    await client.enqueue(order, { n: 2 });
    expect(await waiting(observer)).toBe(1);
  });

  test("a signal ends an enqueue with its own reason, and nothing is sent afterwards", async () => {
    const { client, line, observer } = await scene();
    await cut(client, line);
    const stop = new AbortController();
    const bounded = client.with({ signal: stop.signal });
    const reason = new Error("the request was closed");
    const calls = [
      bounded.enqueue(order, { n: 1 }),
      bounded.enqueueMany(order, [{ input: { n: 1 } }]),
      bounded.chain(order, { n: 1 }).enqueue(),
      bounded.queues.list(),
      bounded.job("no-such-job"),
      client.handle("some-job", QUEUE).result({ signal: stop.signal }),
    ].map((call) => call.catch((caught: unknown) => caught));
    stop.abort(reason);
    expect(await within(Promise.all(calls), 20_000, "every call ends")).toEqual(
      calls.map(() => reason),
    );
    await expect(bounded.enqueue(order, { n: 1 })).rejects.toBe(reason);
    await heal(client, line);
    await client.enqueue(order, { n: 2 });
    expect(await waiting(observer)).toBe(1);
  });

  test("a call that reads says after its time what it waited for", async () => {
    const { client, line } = await scene();
    await cut(client, line);
    const brief = client.with({ timeout: "100ms" });
    await expect(within(brief.queues.list(), 20_000, "queues.list gives up")).rejects.toMatchObject(
      {
        code: "request-timeout",
        message: expect.stringMatching(
          /^queues\.list\(\) took longer than 100 ?ms: there is no connection to the server/,
        ) as string,
      },
    );
    await heal(client, line);
    expect(await client.with({ timeout: "20s" }).queues.list()).toHaveLength(1);
  });

  test("its health and its status say so, and say when it is over", async () => {
    const { client, line } = await scene();
    expect(await client.health()).toMatchObject({ ready: true, status: "connected" });
    await cut(client, line);
    expect(client.status).toBe("disconnected");
    expect(await client.health()).toMatchObject({
      ready: false,
      status: "disconnected",
      problem: expect.stringContaining("no connection") as string,
    });
    await heal(client, line);
    expect(await client.health({ timeout: "20s" })).toMatchObject({ ready: true });
    line.blackhole();
    expect(await within(client.health({ timeout: "100ms" }), 20_000, "health")).toMatchObject({
      ready: false,
      problem: expect.stringContaining("took longer") as string,
    });
    line.heal();
    await client.close();
    expect(client.status).toBe("closed");
    expect(await client.health()).toMatchObject({ ready: false, status: "closed" });
  });

  test("what was sent and not confirmed may be stored, and the error says so", async () => {
    const { client, line, observer } = await scene();
    line.blackhole();
    const error: unknown = await client
      .with({ timeout: "200ms" })
      .enqueue(order, { n: 1 }, { id: "one", once: false })
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: "publish-timeout",
      message: expect.stringContaining("may or may not be stored") as string,
    });
    line.heal();
    await eventually(async () => (await waiting(observer)) === 1, {
      withinMs: 20_000,
      describe: "what lay on the line is stored",
    });
    expect(await client.enqueue(order, { n: 1 }, { id: "one" })).toMatchObject({ duplicate: true });
  });

  test("where a server falls silent every wait ends at its signal, with the signal's reason", async () => {
    const { client, line } = await scene();
    const handle = await client.enqueue(order, { n: 1 });
    const stop = new AbortController();
    const { signal } = stop;
    const reason = new Error("the request was closed");
    line.blackhole();
    const first = <T>(reading: AsyncIterable<T>): Promise<unknown> =>
      reading[Symbol.asyncIterator]().next();
    const waits = [
      first(handle.progress({ signal })),
      first(handle.logs({ signal })),
      first(handle.logs({ follow: true, signal })),
      handle.cancel("x", { wait: true, signal }),
      client.machine("m", "x").waitFor(() => true, { signal }),
      client.lock("l", { signal }, () => 1),
      client.queues.drain(QUEUE, { signal }),
      client.queues.purge(QUEUE, { signal }),
      client.operations.run("x", { signal }),
      client.operations.stop("x", { signal }),
      client.dead.retry({}, { signal }),
      client.dead.discard({}, { signal }),
      client.queues.ensure(QUEUE, {}, { signal }),
      client.queues.list({ signal }),
      client.machine("m", "x").send({ type: "A" }, { signal }),
      client
        .with({ signal })
        .machine("m", "x")
        .subscribe(() => {}),
    ].map((wait: Promise<unknown>) => wait.catch((caught: unknown) => caught));
    const ends = [first(client.events({ signal })), first(client.jobs.watch({ signal }))];
    stop.abort(reason);
    expect(await within(Promise.all(waits), 20_000, "every wait ends")).toEqual(
      waits.map(() => reason),
    );
    const over = { done: true, value: undefined };
    expect(await within(Promise.all(ends), 20_000, "every reading ends")).toEqual([over, over]);
    line.heal();
  });

  test("a reader of progress that waits is ended at once, by return() and by a signal", async () => {
    const { client } = await scene();
    const handle = await client.enqueue(order, { n: 1 });
    const reading = handle.progress()[Symbol.asyncIterator]();
    const next = reading.next();
    await within(Promise.resolve(reading.return?.()), 20_000, "return() resolves");
    expect(await within(next, 20_000, "next() resolves")).toMatchObject({ done: true });
    const stop = new AbortController();
    const other = handle.progress({ signal: stop.signal })[Symbol.asyncIterator]().next();
    const reason = new Error("the tab was closed");
    stop.abort(reason);
    await expect(within(other, 20_000, "the reader is told")).rejects.toBe(reason);
  });
});

function statusChange(client: Millrace, status: string): Promise<void> {
  return new Promise((resolve) => {
    const forget = client.onStatus((now) => {
      if (now !== status) return;
      forget();
      resolve();
    });
  });
}
