import {
  type Msg,
  type NatsConnection,
  RequestError,
  type Status,
  TimeoutError,
} from "@nats-io/nats-core";
import { QueuedIteratorImpl } from "@nats-io/nats-core/internal";
import { describe, expect, test, vi } from "vitest";
import { isSolitary, retryingRequests } from "./retrying-requests.ts";

const SOON = { patienceMs: 1_000, pauseMs: 1 };
const BRIEFLY = { patienceMs: 20, pauseMs: 1 };

function reply(body: unknown): Msg {
  const text = JSON.stringify(body);
  return { data: Buffer.from(text), string: () => text } as unknown as Msg;
}
const refused = (code: number): Msg => reply({ error: { code: 503, err_code: code } });

/** A connection whose server gives these answers in turn, the last one again and again. */
function connection(answers: readonly (Msg | Error)[], cluster: string | undefined = "c") {
  const left = [...answers];
  const answer = vi.fn(async () => {
    const next = left.length > 1 ? left.shift() : left[0];
    if (next instanceof Error) throw next;
    return next as Msg;
  });
  const said = new QueuedIteratorImpl<Status>();
  const nc = {
    info: { cluster },
    request: answer,
    flush: answer,
    isClosed: () => false,
    status: () => said,
  };
  return { nc: nc as unknown as NatsConnection, answer, said };
}

test.each([10004, 10005, 10006, 10008, 10009, 10118, 10119])(
  "%i, said while a leader or a member is missing, is asked again",
  async (code) => {
    const { nc, answer } = connection([refused(code), reply({ ok: true })]);
    const given = await retryingRequests(nc, SOON).request("$JS.API.STREAM.INFO.a");
    expect(given.string()).toBe('{"ok":true}');
    expect(answer).toHaveBeenCalledTimes(2);
  },
);

test("silence is asked again, and in the end is what it was", async () => {
  const heard = connection([new TimeoutError(), new TimeoutError(), reply({ ok: true })]);
  await retryingRequests(heard.nc, SOON).request("$JS.API.STREAM.INFO.a");
  expect(heard.answer).toHaveBeenCalledTimes(3);
  const silent = connection([new TimeoutError()]);
  await expect(
    retryingRequests(silent.nc, BRIEFLY).request("$JS.API.STREAM.INFO.a"),
  ).rejects.toBeInstanceOf(TimeoutError);
  expect(silent.answer.mock.calls.length).toBeGreaterThan(1);
});

/** A cluster of which nobody answers but the questions of these numbers, each after its time. */
function silentBut(answersAfterMs: ReadonlyMap<number, number>) {
  const { nc } = connection([]);
  const asked: { readonly atMs: number; readonly timeout: number }[] = [];
  const begun = performance.now();
  const request: NatsConnection["request"] = (_subject, _payload, { timeout } = { timeout: 0 }) => {
    const { promise, resolve, reject } = Promise.withResolvers<Msg>();
    asked.push({ atMs: performance.now() - begun, timeout });
    const number = asked.length;
    const answerMs = answersAfterMs.get(number);
    if (answerMs !== undefined) setTimeout(() => resolve(reply({ number })), answerMs);
    setTimeout(() => reject(new TimeoutError()), timeout);
    return promise;
  };
  return { nc: Object.assign(nc, { request }), asked };
}

describe("in a silence", () => {
  const patience = { patienceMs: 10_000, pauseMs: 0, firstAnswerMs: 20 };

  test("a read is asked again while the first may be answered, which counts", async () => {
    const { nc, asked } = silentBut(new Map([[1, 2_000]]));
    const read = retryingRequests(nc, patience);
    const given = await read.request("$JS.API.STREAM.INFO.a", "", { timeout: 5_000 });
    expect(given.string()).toBe('{"number":1}');
    expect(asked.length).toBeGreaterThan(2);
    expect(asked.every(({ timeout }) => timeout === 5_000)).toBe(true);
  });

  test("a read finds whoever answers now, and asks less often the longer it lasts", async () => {
    const { nc, asked } = silentBut(new Map([[8, 0]]));
    const read = retryingRequests(nc, patience);
    const given = await read.request("$JS.API.STREAM.MSG.GET.a", "", { timeout: 2_000 });
    expect(given.string()).toBe('{"number":8}');
    const waits = asked.slice(1).map(({ atMs }, index) => atMs - (asked[index]?.atMs ?? 0));
    // The fifth begins where four firsts have passed: a quarter of it is longer from there on.
    expect(waits[6]).toBeGreaterThan(25);
  });

  test.each(["STREAM.PURGE.a", "STREAM.CREATE.a", "STREAM.MSG.DELETE.a", "CONSUMER.CREATE.a.b"])(
    "%s is not asked while it may still be carried out",
    async (subject) => {
      const { nc, asked } = silentBut(
        new Map([
          [1, 150],
          [4, 0],
        ]),
      );
      const given = await retryingRequests(nc, patience).request(`$JS.API.${subject}`, "", {
        timeout: 2_000,
      });
      expect(given.string()).toBe('{"number":4}');
      expect(asked.map(({ timeout }) => timeout)).toEqual([20, 40, 80, 160]);
    },
  );
});

describe("what a member says of a stream that it does not lead", () => {
  const said = (leader: string, last_seq: number): Msg => {
    const cluster = { name: "c", leader, replicas: [{ name: "n2" }, { name: "n3" }] };
    return reply({ config: {}, state: { last_seq }, cluster, ts: "" });
  };
  const info = "$JS.API.STREAM.INFO.a";

  test("is no answer: the leader is asked for again", async () => {
    const { nc, answer } = connection([said("n2", 5), said("", 5), said("n1", 25)]);
    const given = await retryingRequests(nc, SOON).request(info);
    expect(given.string()).toContain('"last_seq":25');
    expect(answer).toHaveBeenCalledTimes(3);
  });

  test("is no answer in the end either", async () => {
    const { nc, answer } = connection([said("n2", 5)]);
    const given = retryingRequests(nc, BRIEFLY).request(info);
    await expect(given).rejects.toBeInstanceOf(TimeoutError);
    expect(answer.mock.calls.length).toBeGreaterThan(1);
  });
});

test.each(["STREAM.INFO.a", "STREAM.MSG.GET.a", "STREAM.PURGE.a", "CONSUMER.INFO.a.b"])(
  "in a cluster %s is asked again where there is no such stream",
  async (subject) => {
    const { nc, answer } = connection([refused(10059), refused(10059), reply({ ok: true })]);
    const given = await retryingRequests(nc, SOON).request(`$JS.API.${subject}`);
    expect(given.string()).toBe('{"ok":true}');
    expect(answer).toHaveBeenCalledTimes(3);
  },
);

test("that there is no such stream is the answer where it stays so", async () => {
  const { nc, answer } = connection([refused(10059)]);
  const patience = { patienceMs: 10_000, pauseMs: 100 };
  const given = await retryingRequests(nc, patience).request("$JS.API.STREAM.INFO.a");
  expect(given.string()).toContain("10059");
  expect(answer.mock.calls.length).toBeGreaterThan(1);
});

test("a refusal that lasts is handed over as the server said it", async () => {
  const { nc } = connection([refused(10005)]);
  const given = await retryingRequests(nc, BRIEFLY).request("$JS.API.STREAM.CREATE.a");
  expect(given.json).toBeUndefined();
  expect(given.string()).toContain("10005");
});

test.each([
  ["of a server that is alone", undefined, "$JS.API.STREAM.INFO.a", refused(10008)],
  ["of another kind", "c", "$JS.API.STREAM.INFO.a", refused(10014)],
  [
    "of no such stream by a server that is alone",
    undefined,
    "$JS.API.STREAM.INFO.a",
    refused(10059),
  ],
  // A message of a stream: sent twice it may be stored twice.
  ["to a stream's own subject", "c", "jobs.mail", refused(10008)],
])("an answer %s counts at once", async (_what, cluster, subject, answerOf) => {
  const { nc, answer } = connection([answerOf], cluster);
  // `undefined` as an argument would be the default.
  if (cluster === undefined) Object.assign(nc.info as object, { cluster });
  await retryingRequests(nc, SOON).request(subject);
  expect(answer).toHaveBeenCalledTimes(1);
});

test("what was a cluster is one while the connection is away", async () => {
  const { nc, answer } = connection([new RequestError("connection disconnected"), reply({})]);
  const retrying = retryingRequests(nc, SOON);
  Object.assign(nc, { info: undefined });
  await retrying.flush();
  expect(answer).toHaveBeenCalledTimes(2);
});

test("a flush that a reconnect cuts short is made again; what else fails is not", async () => {
  const cut = connection([new RequestError("connection disconnected"), reply({})]);
  await retryingRequests(cut.nc, SOON).flush();
  expect(cut.answer).toHaveBeenCalledTimes(2);
  const broken = connection([new Error("no")]);
  await expect(retryingRequests(broken.nc, SOON).flush()).rejects.toThrow("no");
  expect(broken.answer).toHaveBeenCalledTimes(1);
});

test.each([
  ["a cluster", "c"],
  ["a server that is alone", undefined],
])(
  "of %s, what was asked before the line was lost is asked again when it is back",
  async (_what, cluster) => {
    const never = Promise.withResolvers<Msg>().promise;
    const { nc, said } = connection([reply({})], "c");
    Object.assign(nc.info as object, { cluster });
    const asked = vi.fn(async () => (asked.mock.calls.length === 1 ? never : reply({ ok: true })));
    Object.assign(nc, { request: asked });
    const given = retryingRequests(nc, SOON).request("$JS.API.STREAM.INFO.a", "", {
      timeout: 60_000,
    });
    said.push({ type: "disconnect", server: "s" });
    said.push({ type: "reconnect", server: "s" });
    expect((await given).string()).toBe('{"ok":true}');
    expect(asked).toHaveBeenCalledTimes(2);
  },
);

test("what is not asked again ends when the line is back, and not by its timeout", async () => {
  const never = Promise.withResolvers<Msg>().promise;
  const { nc, said } = connection([reply({})], undefined);
  const asked = vi.fn(() => never);
  Object.assign(nc, { request: asked });
  const written = retryingRequests(nc, SOON).request("$KV.locks.a", "", { timeout: 60_000 });
  said.push({ type: "disconnect", server: "s" });
  said.push({ type: "reconnect", server: "s" });
  await expect(written).rejects.toBeInstanceOf(TimeoutError);
  expect(asked).toHaveBeenCalledTimes(1);
});

test.each([
  ["a server that keeps its data alone", { jetstream: true }, true],
  ["a member of a cluster", { jetstream: true, cluster: "c" }, false],
  ["a leaf before another server, which may be of a cluster", {}, false],
  ["a connection that is away", undefined, false],
])("%s: whether it is solitary", (_, info, expected) => {
  expect(isSolitary({ info } as unknown as NatsConnection)).toBe(expected);
});
