import {
  type BatchEnded,
  connect,
  createNode,
  defineJob,
  type Millrace,
  MillraceError,
  planJob,
} from "millrace";
import { expect, onTestFinished, test } from "vitest";
import { describeEachServer } from "../harness/servers.ts";
import { patient } from "../harness/cluster/mode.ts";

const QUEUE = "work";
const echo = defineJob<unknown, unknown, unknown>({ name: "echo", queue: QUEUE });
const sum = defineJob<BatchEnded<unknown>, BatchEnded<unknown>, unknown>({
  name: "sum",
  queue: QUEUE,
});
const parent = defineJob<{ child: string }>({ name: "parent", queue: QUEUE });
const maker = defineJob<{ what: string }, { what: string }, unknown>({
  name: "maker",
  queue: QUEUE,
});

/** What a user may hand over without thinking, and what becomes of it. */
const THINGS: Readonly<Record<string, () => unknown>> = {
  map: () => ({ seen: [new Map([["a", 1]])] }),
  url: () => ({ at: new URL("https://a.example/b"), since: new Date(7), raw: Buffer.from("hi") }),
};
const REFUSED = "payload.seen[0] is a Map";
const HONOURED = {
  at: "https://a.example/b",
  since: new Date(7),
  raw: new Uint8Array([104, 105]),
};

describeEachServer("payloads and results that are no plain data", (server) => {
  async function scene(): Promise<Millrace> {
    const namespace = server.namespace();
    const make = (what: string): unknown => THINGS[what]?.();
    const node = await createNode({
      servers: server.url,
      namespace,
      env: {},
      jobs: [
        echo.handler(({ input }) => input),
        sum.handler(({ input }) => input),
        parent.handler(async ({ input, enqueue, job }) => {
          try {
            await enqueue(echo, make(input.child), { id: `${job.id}-child` });
            return "enqueued";
          } catch (error) {
            return MillraceError.is(error) ? `${error.code}: ${error.message}` : "?";
          }
        }),
        maker.handler(({ input }) => make(input.what)),
      ],
    });
    onTestFinished(() => node.stop());
    await node.start();
    const client = await connect({ servers: server.url, namespace, env: {} });
    onTestFinished(() => client.close());
    return client;
  }

  const wait = { timeout: patient(20_000) };
  const refused = (at = REFUSED): object =>
    expect.objectContaining({
      code: "unserializable-payload",
      message: expect.stringContaining(at) as string,
    }) as object;

  test("what would be lost is refused with its place, by every way in", async () => {
    const client = await scene();
    const bad = THINGS["map"]?.();
    await expect(client.enqueue(echo, bad)).rejects.toThrow(refused());
    const [first, second] = await client.enqueueMany(echo, [{ input: bad }, { input: 1 }]);
    expect(first).toMatchObject({ ok: false, error: refused() });
    expect(second).toMatchObject({ ok: true });
    await expect(client.chain(echo, bad).next(echo).enqueue()).rejects.toThrow(refused());
    const batch = await client.batch([planJob(echo, bad, { id: "bad" }), planJob(echo, 1)], {
      callback: { job: sum, input: null },
    });
    expect(batch.refused).toMatchObject([{ id: "bad", error: refused() }]);
    await expect(
      client.batch([planJob(echo, 1, { id: "never" })], { callback: { job: sum, input: bad } }),
    ).rejects.toThrow(refused("callback.input.seen[0] is a Map"));
    await expect(client.job("never", { queue: QUEUE })).rejects.toThrow(
      expect.objectContaining({ code: "job-not-found" }),
    );
    const told = await (await client.enqueue(parent, { child: "map" })).result(wait);
    expect(told).toContain(`unserializable-payload: The value can't be sent: ${REFUSED}`);
  });

  test("a toJSON is honoured, and dates and bytes arrive as they are, by every way in and out", async () => {
    const client = await scene();
    const good = THINGS["url"]?.();
    expect(await (await client.enqueue(echo, good)).result(wait)).toEqual(HONOURED);
    const [one] = await client.enqueueMany(echo, [{ input: good }]);
    expect(await client.handle(one?.id ?? "", QUEUE).result(wait)).toEqual(HONOURED);
    const chain = await client.chain(maker, { what: "url" }).next(echo).enqueue();
    expect(await chain.result(wait)).toEqual(HONOURED);
    const batch = await client.batch([planJob(echo, good)], {
      callback: { job: sum, input: good },
    });
    expect(await batch.result(wait)).toMatchObject({ input: HONOURED });
    const handle = await client.enqueue(parent, { child: "url" });
    expect(await handle.result(wait)).toBe("enqueued");
    expect(await client.handle(`${handle.id}-child`, QUEUE).result(wait)).toEqual(HONOURED);
  });

  test("a result that would be lost is not kept, and whoever waits for it is told its place", async () => {
    const client = await scene();
    const handle = await client.enqueue(maker, { what: "map" });
    await expect(handle.result(wait)).rejects.toThrow(refused("output.seen[0] is a Map"));
    expect(await handle.status()).toMatchObject({ state: "succeeded" });
    const chain = await client.chain(maker, { what: "map" }).next(echo).enqueue();
    await expect(chain.result(wait)).rejects.toThrow("seen[0] is a Map");
  });
});
