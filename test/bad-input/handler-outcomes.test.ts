import {
  type AnyJob,
  defineJob,
  type Envelope,
  type HistoryRecord,
  type Schema,
  UNSETTLED,
} from "@millrace/core";
import { beforeAll, describe, expect, it } from "vitest";
import { clusterMode } from "../harness/cluster/mode.ts";
import { eventually } from "../harness/deadline.ts";
import { type NodeOnServer, startNodeOnServer } from "../harness/node-on-server.ts";
import { describeEachServer } from "../harness/servers.ts";

const QUEUE = "outcomes";

const cycle: { self?: unknown } = {};
cycle.self = cycle;
const revoked = Proxy.revocable({}, {});
revoked.revoke();
const trap = {
  get secret(): never {
    throw new Error("a getter that throws");
  },
};
const hostile = new Proxy(
  {},
  {
    get: () => trap.secret,
    has: () => trap.secret,
    getPrototypeOf: () => trap.secret,
    ownKeys: () => trap.secret,
  },
);
let deep: unknown = 1;
for (let i = 0; i < 10_000; i += 1) deep = { deep };

/** What a handler may return that no message can carry. The work is done all the same. */
const OUTPUTS: readonly (readonly [string, () => unknown, HistoryRecord["outputDropped"]])[] = [
  ["a function", () => () => 1, "unserializable"],
  ["a bigint", () => 10n, "unserializable"],
  ["a symbol", () => Symbol("s"), "unserializable"],
  ["a cycle", () => cycle, "unserializable"],
  ["10,000 levels", () => deep, "unserializable"],
  ["a getter that throws", () => trap, "unserializable"],
  ["a revoked proxy", () => ({ inside: revoked.proxy }), "unserializable"],
  ["a proxy that throws", () => ({ inside: hostile }), "unserializable"],
  ["two megabytes", () => "x".repeat(2_000_000), "too-large"],
  ["two megabytes of bytes", () => new Uint8Array(2_000_000), "too-large"],
  ["nothing", () => undefined, undefined],
];

/** What a handler may throw. Each is a failure like any other. */
const THROWN: readonly (readonly [string, () => unknown, RegExp])[] = [
  ["a message of five megabytes", () => new Error("x".repeat(5_000_000)), /^x{1000}/],
  [
    "a message of line breaks and quotes",
    () => new Error('a\r\nb"c\u0000\u2028'.repeat(300)),
    /^a\r\nb/,
  ],
  ["a message beyond ASCII", () => new Error("日本🎉".repeat(2_000)), /^日本/],
  ["half of a surrogate pair", () => new Error("\ud83c".repeat(500)), /./],
  [
    "an error with a long name",
    () => Object.assign(new Error("m"), { name: "N".repeat(50_000) }),
    /^m$/,
  ],
  [
    "an error whose message throws",
    () => Object.defineProperty(new Error("m"), "message", { get: () => trap.secret }),
    /unreadable/,
  ],
  [
    "an error whose name throws",
    () => Object.defineProperty(new Error("m"), "name", { get: () => trap.secret }),
    /./,
  ],
  ["undefined", () => undefined, /undefined/],
  ["null", () => null, /null/],
  ["a string", () => "just text", /just text/],
  ["a bigint", () => 1n, /./],
  ["a symbol", () => Symbol("s"), /./],
  ["a cycle", () => cycle, /./],
  ["a revoked proxy", () => revoked.proxy, /./],
  ["a proxy that throws", () => hostile, /./],
];

const broken: Schema = {
  "~standard": { version: 1, vendor: "test", validate: () => trap.secret },
};

const envelope = (name: string, payload: number, id: string): Envelope => ({
  ...UNSETTLED,
  name,
  payload,
  id,
  queue: QUEUE,
  createdAt: Date.now(),
  headers: {},
});

describeEachServer("what a handler does can't stop a node", (server) => {
  let served: NodeOnServer;

  beforeAll(async () => {
    const once = { queue: QUEUE, retry: "none" } as const;
    const jobs: AnyJob[] = [
      defineJob({ name: "returns", ...once }).handler(({ input }) => OUTPUTS[Number(input)]?.[1]()),
      defineJob({ name: "throws", ...once }).handler(({ input }) => {
        throw THROWN[Number(input)]?.[1]();
      }),
      defineJob({ name: "rejects", ...once }).handler(({ input }) =>
        Promise.reject(THROWN[Number(input)]?.[1]()),
      ),
    ];
    jobs.push(defineJob({ name: "unasked", ...once, input: broken }).handler(() => {}));
    served = await startNodeOnServer(server, { jobs });
  });

  const ending = async (name: string, index: number): Promise<HistoryRecord> => {
    const id = `${name}-${index}`;
    expect(await served.broker.enqueue([envelope(name, index, id)])).toMatchObject([{ ok: true }]);
    const records = await eventually(
      async () => {
        const found = await served.broker.history.read({ id, queue: QUEUE });
        return found.length > 0 ? found : undefined;
      },
      { withinMs: 20_000, describe: `the end of ${id}` },
    );
    expect(records).toHaveLength(1);
    expect(served.node.health()).toMatchObject({ ready: true, live: true });
    return records[0] as HistoryRecord;
  };

  describe.each(OUTPUTS.map(([what, , dropped], index) => ({ what, dropped, index })))(
    "returning $what",
    ({ dropped, index }) => {
      it("succeeds, and the history says what became of the result", async () => {
        const record = await ending("returns", index);
        expect(record).toMatchObject({ state: "succeeded", attempts: 1 });
        expect(record.outputDropped).toBe(dropped);
        expect(record).not.toHaveProperty("output");
      });
    },
  );

  describe.each(THROWN.map(([what, , message], index) => ({ what, message, index })))(
    "throwing $what",
    ({ message, index }) => {
      it.each(["throws", "rejects"])("%s: a dead letter with a bounded error", async (name) => {
        const record = await ending(name, index);
        expect(record).toMatchObject({ state: "dead", reason: "attempts-exhausted", attempts: 1 });
        const [letter] = await served.broker.deadLetters.list({ queue: QUEUE, id: record.id });
        for (const error of [record.error, letter?.error]) {
          expect(error?.message).toMatch(message);
          expect(error?.message.length).toBeLessThanOrEqual(1_024);
          expect(error?.type.length).toBeLessThanOrEqual(128);
        }
      });
    },
  );

  it("a schema that throws fails the attempt: the payload may be fine", async () => {
    const record = await ending("unasked", 0);
    expect(record).toMatchObject({ state: "dead", reason: "attempts-exhausted", attempts: 1 });
    expect(record.error?.message).toMatch(/getter that throws/);
  });

  it("every slot is free again", async () => {
    await eventually(() => served.node.health().running === 0, {
      withinMs: 20_000,
      describe: "no job running",
    });
    // An acknowledgement that died with a leader is made up for when the lease ends.
    if (clusterMode() !== undefined)
      await eventually(async () => (await served.broker.queues.snapshot(QUEUE)).running === 0, {
        withinMs: 20_000,
        describe: "the server knows of no job that runs",
      });
    expect(await served.broker.queues.snapshot(QUEUE)).toMatchObject({
      queued: 0,
      running: 0,
      dead: THROWN.length * 2 + 1,
    });
  });
});
