import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CLAIM_HEADER } from "@millrace/core";
import { connect } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { patientManager } from "../harness/administrator.ts";
import { isPubAck } from "../harness/nats-frames.ts";
import { startProxy } from "../harness/proxy.ts";
import { ConfirmedPublisher } from "../../packages/broker-nats/src/publish/confirmed-publisher.ts";
import { describeOnOwnServers } from "./real-server.ts";
import { deafStream, until, workQueue } from "./streams.ts";

const body = new Uint8Array(16).fill(1);
const id = (value: string | number) => ({ "Nats-Msg-Id": String(value) });
const options = {
  noAsyncTraces: true,
  maxReconnectAttempts: -1,
  reconnectTimeWait: 50,
  reconnectJitter: 0,
};

describeOnOwnServers("ConfirmedPublisher", (start) => {
  test("confirms each message once and tells a duplicate", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc);
    const publisher = new ConfirmedPublisher(nc, { window: 8 });
    const acks = await Promise.all(
      Array.from({ length: 100 }, (_, i) => publisher.publish("jobs.a", body, id(i))),
    );
    expect(acks.map((ack) => ack.sequence)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(acks[0]).toEqual({ stream: "Q", sequence: 1, duplicate: false, attempts: 1 });
    expect(await publisher.publish("jobs.a", body, id(7))).toEqual({
      stream: "Q",
      sequence: 8,
      duplicate: true,
      attempts: 1,
    });
    await publisher.close();
    await publisher.close();
    await expect(publisher.publish("jobs.a", body, id("late"))).rejects.toMatchObject({
      code: "connection-closed",
    });
  });

  test("a subject that no stream takes and somebody listens to is told as such, for each of many", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await using listener = await connect({ servers: server.url, ...options });
    await workQueue(nc, { stream: { subjects: ["app.jobs.>"] } });
    listener.subscribe("app.nowhere.>", { callback: () => {} });
    await listener.flush();
    const publisher = new ConfirmedPublisher(nc, { attemptTimeoutMs: 100, namespace: "app" });
    const outcomes = await Promise.allSettled([
      publisher.publish("app.jobs.a", body, id(0)),
      ...Array.from({ length: 50 }, (_, n) => publisher.publish(`app.nowhere.${n}`, body, id(n))),
    ]);
    expect(outcomes[0]).toMatchObject({ status: "fulfilled" });
    for (const outcome of outcomes.slice(1))
      expect(outcome).toMatchObject({ reason: { code: "queue-not-found" } });
    await publisher.close();
  });

  test.each([
    ["of others", "orders", { namespace: "app" }],
    ["of the namespace's own name", "orders", { namespace: "orders" }],
    ["of whoever is asked for no namespace", "orders", {}],
  ])(
    "what a stream of another account has stored and was slow to say so is not called missing, on subjects %s",
    async (_, stem, given) => {
      const config = `accounts {
        SHOP { jetstream: enabled, users: [{ user: shop, password: s }], exports: [{ service: "${stem}.>" }] }
        APP { jetstream: enabled, users: [{ user: node, password: n }], imports: [{ service: { account: SHOP, subject: "${stem}.>" } }] }
      }`;
      await using server = await start({ config });
      await using shop = await connect({
        servers: server.url,
        ...options,
        user: "shop",
        pass: "s",
      });
      await workQueue(shop, { stream: { subjects: [`${stem}.>`] } });
      const proxy = await startProxy(server.url);
      const app = { ...options, user: "node", pass: "n" };
      await using nc = await connect({ servers: proxy.url, ...app });
      await workQueue(nc, { stream: { subjects: ["app.jobs.>"] } });
      const publisher = new ConfirmedPublisher(nc, { attemptTimeoutMs: 200, ...given });
      let dropped = 0;
      const heal = proxy.dropFromServer((frame) => isPubAck(frame) && (dropped += 1) > 0);
      const told = publisher.publish(`${stem}.1`, body, id(1));
      // Long enough for a look at the streams between two of its copies.
      await until("the fourth acknowledgement is lost", () => dropped >= 4);
      heal();
      expect(await told).toMatchObject({ duplicate: true, sequence: 1 });
      await publisher.close();
    },
  );

  test("what nobody took at first is sent again in its order, also by a window that has seen others", async () => {
    await using server = await start();
    const proxy = await startProxy(server.url);
    await using nc = await connect({ servers: proxy.url, ...options });
    await workQueue(nc);
    const publisher = new ConfirmedPublisher(nc, { window: 20, attemptTimeoutMs: 300 });
    const publishAll = (ids: readonly string[]) =>
      Promise.all(ids.map((each) => publisher.publish("jobs.a", body, id(each))));
    const idsOf = (round: string) => Array.from({ length: 15 }, (_, n) => `${round}${n}`);
    await publishAll(idsOf("before"));
    const letThrough = proxy.dropToServer(({ subject }) => subject === "jobs.a");
    const late = publishAll(idsOf("late"));
    await nc.flush();
    letThrough();
    const sequences = (await late).map(({ sequence }) => sequence);
    expect(sequences).toEqual(Array.from({ length: 15 }, (_, n) => 16 + n));
    await publisher.close();
  });

  test("publishMany takes items as there is room and gives an outcome for each", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc);
    const publisher = new ConfirmedPublisher(nc, { window: 10 });
    let taken = 0;
    let mostAhead = 0;
    const items = function* () {
      for (let i = 0; i < 500; i += 1) {
        taken += 1;
        mostAhead = Math.max(mostAhead, publisher.pending);
        yield {
          subject: i === 100 ? "nowhere.a" : "jobs.a",
          data: i === 200 ? new Uint8Array(2_000_000) : body,
          headers: id(i),
        };
      }
    };
    const many = publisher.publishMany(items());
    const single = publisher.publish("jobs.a", body, id("between"));
    expect(taken).toBe(10);
    const outcomes = await many;
    expect(await single).toMatchObject({ duplicate: false });
    expect(outcomes).toHaveLength(500);
    expect(mostAhead).toBeLessThanOrEqual(12);
    const failures = outcomes.flatMap((outcome, index) =>
      outcome.kind === "failed" ? [[index, outcome.error.code]] : [],
    );
    expect(failures).toEqual([
      [100, "queue-not-found"],
      [200, "payload-too-large"],
    ]);
    expect(await publisher.publishMany([])).toEqual([]);
    const broken = function* () {
      yield { subject: "jobs.a", data: body, headers: id("b") };
      throw new Error("the source broke");
    };
    await expect(publisher.publishMany(broken())).rejects.toThrow("the source broke");
    await publisher.close();
  });

  test("translates refusals", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc, { stream: { max_msgs: 2, max_msg_size: 1_000 } });
    const publisher = new ConfirmedPublisher(nc);
    const attempt = (subject: string, data = body, headers = {}) =>
      publisher.publish(subject, data, { ...id(Math.random()), ...headers });
    await expect(attempt("nowhere.x")).rejects.toMatchObject({ code: "queue-not-found" });
    await expect(attempt("jobs.a", new Uint8Array(5_000))).rejects.toMatchObject({
      code: "payload-too-large",
      cause: { errCode: 10054 },
    });
    await expect(attempt("jobs.a", new Uint8Array(5_000_000))).rejects.toMatchObject({
      code: "payload-too-large",
    });
    await expect(
      attempt("jobs.a", body, { "Nats-Expected-Last-Subject-Sequence": "41" }),
    ).rejects.toMatchObject({ code: "conflict" });
    await expect(attempt("jobs.a", body, { x: "a\r\nNats-Rollup: all" })).rejects.toMatchObject({
      code: "invalid-header",
    });
    await expect(attempt("jobs. a")).rejects.toMatchObject({ code: "invalid-message" });
    await attempt("jobs.a");
    await attempt("jobs.a");
    await expect(attempt("jobs.a")).rejects.toMatchObject({ code: "queue-full" });
    await publisher.close();
  });

  test("names missing permissions and missing JetStream", async () => {
    await using server = await start({
      config: `authorization { users: [ { user: a, password: a, permissions: { publish: { deny: "jobs.secret" } } }, { user: b, password: b, permissions: { subscribe: { deny: "_INBOX.>" } } } ] }`,
    });
    await using a = await connect({ servers: server.url, ...options, user: "a", pass: "a" });
    await workQueue(a);
    const jsm = await patientManager(a);
    const stored = async () => (await jsm.streams.info("Q")).state.messages;
    const publisher = new ConfirmedPublisher(a);
    await expect(publisher.publish("jobs.secret", body, id(1))).rejects.toMatchObject({
      code: "permission-denied",
    });
    expect(await publisher.publish("jobs.open", body, id(2))).toMatchObject({ sequence: 1 });
    await publisher.close();
    await using b = await connect({ servers: server.url, ...options, user: "b", pass: "b" });
    const deaf = new ConfirmedPublisher(b);
    // The server takes what it may not answer.
    await expect(deaf.publish("jobs.open", body, id(3))).rejects.toMatchObject({
      code: "publish-timeout",
      cause: { code: "permission-denied" },
    });
    await until("it is stored", async () => (await stored()) === 2);
    await expect(deaf.publish("jobs.open", body, id(4))).rejects.toMatchObject({
      code: "permission-denied",
    });
    expect(await stored()).toBe(2);
    await deaf.close();
    await using plain = await start({ jetstream: false });
    await using nc = await connect({ servers: plain.url, ...options });
    const none = new ConfirmedPublisher(nc);
    await expect(none.publish("jobs.a", body, id(1))).rejects.toMatchObject({
      code: "jetstream-disabled",
    });
    await none.close();
  });

  test("a server killed in the middle: every message is stored exactly once", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc);
    const publisher = new ConfirmedPublisher(nc, { window: 64, attemptTimeoutMs: 500 });
    let confirmed = 0;
    const all = Array.from({ length: 3_000 }, (_, i) =>
      publisher.publish("jobs.a", body, id(i)).then((ack) => ((confirmed += 1), ack)),
    );
    await until("500 confirmed", () => confirmed >= 500);
    await server.kill();
    const before = confirmed;
    await server.restart();
    const acks = await Promise.all(all);
    expect(before).toBeLessThan(3_000);
    expect(new Set(acks.map((ack) => ack.sequence)).size).toBe(3_000);
    expect((await (await patientManager(nc)).streams.info("Q")).state.messages).toBe(3_000);
    await publisher.close();
  });

  test("says of a claim only in the first copy of a message: by the second its job may have run", async () => {
    await using server = await start();
    const proxy = await startProxy(server.url);
    await using nc = await connect({ servers: proxy.url, ...options });
    await workQueue(nc);
    const publisher = new ConfirmedPublisher(nc, { attemptTimeoutMs: 100 });
    let dropped = 0;
    proxy.dropFromServer((frame) => isPubAck(frame) && (dropped += 1) <= 2);
    // Without an id, so that the server stores all copies.
    const headers = { "x-a": "1", [CLAIM_HEADER]: "7 running a" };
    expect(await publisher.publish("jobs.a", body, headers)).toMatchObject({ attempts: 3 });
    const jsm = await patientManager(nc);
    const copies: unknown[] = [];
    for (const seq of [1, 2, 3]) {
      const header = (await jsm.streams.getMessage("Q", { seq }))?.header;
      copies.push([header?.get("x-a"), header?.get(CLAIM_HEADER)]);
    }
    expect(copies).toEqual([
      ["1", "7 running a"],
      ["1", ""],
      ["1", ""],
    ]);
    await publisher.close();
  });

  test("a refusal of one copy is believed once no other copy can be stored any more", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await using slow = await connect({ servers: server.url, ...options });
    await deafStream(nc, "stored.>");
    const publisher = new ConfirmedPublisher(nc, { attemptTimeoutMs: 100 });
    const full = JSON.stringify({
      stream: "Q",
      seq: 0,
      error: { code: 503, err_code: 10077, description: "maximum messages exceeded" },
    });
    const stored = JSON.stringify({ stream: "Q", seq: 7 });
    /** A slow server: it answers once two copies are there, and each later one at once. */
    const answer = (subject: string, first: string, later: string): void => {
      const replies: string[] = [];
      slow.subscribe(subject, {
        callback: (_error, { reply = "" }) => {
          replies.push(reply);
          if (replies.length === 2) slow.publish(replies[0] ?? "", first);
          if (replies.length >= 2) slow.publish(reply, later);
        },
      });
    };
    answer("stored.late", full, stored);
    answer("stored.never", full, full);
    await slow.flush();

    const late = publisher.publish("stored.late", body, id("late"));
    const never = publisher.publish("stored.never", body, id("never"));

    await Promise.all([
      expect(late).resolves.toMatchObject({ sequence: 7 }),
      expect(never).rejects.toMatchObject({ code: "queue-full" }),
    ]);
    await publisher.close();
  });

  test("what is refused may be stored all the same where a copy before it got no answer", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await using lossy = await connect({ servers: server.url, ...options });
    await deafStream(nc, "stored.>");
    const publisher = new ConfirmedPublisher(nc, { attemptTimeoutMs: 100 });
    const full = JSON.stringify({
      error: { code: 503, err_code: 10077, description: "maximum messages exceeded" },
    });
    let copies = 0;
    lossy.subscribe("stored.>", {
      callback: (_error, { reply = "" }) => {
        copies += 1;
        if (copies > 1) lossy.publish(reply, full);
      },
    });
    await lossy.flush();
    const unsure = publisher.publish("stored.unsure", body, id("unsure"));
    await expect(unsure).rejects.toMatchObject({
      code: "publish-timeout",
      message: expect.stringContaining("may or may not be stored"),
      cause: { code: "queue-full" },
    });
    await expect(publisher.publish("stored.sure", body, id("sure"))).rejects.toMatchObject({
      code: "queue-full",
    });
    await publisher.close();
  });

  test("but for a copy of which the server has said that it is not taken yet", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await using busy = await connect({ servers: server.url, ...options });
    await deafStream(nc, "stored.>");
    const publisher = new ConfirmedPublisher(nc, { attemptTimeoutMs: 100 });
    const says = [
      { code: 429, err_code: 10167, description: "too many requests" },
      { code: 503, err_code: 10077, description: "maximum messages exceeded" },
    ];
    busy.subscribe("stored.>", {
      callback: (_error, { reply = "" }) =>
        busy.publish(reply, JSON.stringify({ error: says.shift() })),
    });
    await busy.flush();
    await expect(publisher.publish("stored.a", body, id("a"))).rejects.toMatchObject({
      code: "queue-full",
    });
    await publisher.close();
  });

  test("nor is it certain that what no stream takes any more is not stored", async () => {
    await using server = await start();
    const proxy = await startProxy(server.url);
    await using nc = await connect({ servers: proxy.url, ...options });
    const jsm = await patientManager(nc);
    await workQueue(nc);
    const publisher = new ConfirmedPublisher(nc, { attemptTimeoutMs: 200 });
    let lost = 0;
    const heal = proxy.dropFromServer((frame) => isPubAck(frame) && (lost += 1) === 1);
    const unsure = publisher.publish("jobs.a", body, id("unsure"));
    await until("the acknowledgement is lost", () => lost > 0);
    heal();
    const { config } = await jsm.streams.info("Q");
    await jsm.streams.update("Q", { ...config, subjects: ["others.>"] });
    await expect(unsure).rejects.toMatchObject({
      code: "publish-timeout",
      message: expect.stringContaining("may or may not be stored"),
      cause: { code: "queue-not-found" },
    });
    expect((await jsm.streams.info("Q")).state.messages).toBe(1);
    const sure = Array.from({ length: 20 }, (_, n) => publisher.publish("jobs.a", body, id(n)));
    for (const outcome of await Promise.allSettled(sure))
      expect(outcome).toMatchObject({ reason: { code: "queue-not-found" } });
    await publisher.close();
  });

  test("what was stored right before its stream closed is not told as refused", async () => {
    await using server = await start();
    const proxy = await startProxy(server.url);
    await using nc = await connect({ servers: proxy.url, ...options });
    await using other = await connect({ servers: server.url, ...options });
    const jsm = await patientManager(other);
    await workQueue(nc);
    const publisher = new ConfirmedPublisher(nc, { attemptTimeoutMs: 3_000 });
    let lost = 0;
    const heal = proxy.dropFromServer((frame) => isPubAck(frame) && (lost += 1) > 0);
    const before = Array.from({ length: 10 }, (_, n) => publisher.publish("jobs.a", body, id(n)));
    await until("their acknowledgements are lost", () => lost === before.length);
    heal();
    const { config } = await jsm.streams.info("Q");
    await jsm.streams.update("Q", { ...config, subjects: ["others.>"] });
    await expect(publisher.publish("jobs.a", body, id("after"))).rejects.toMatchObject({
      code: "queue-not-found",
    });
    for (const outcome of await Promise.allSettled(before))
      expect(outcome).toMatchObject({ reason: { code: "publish-timeout" } });
    expect((await jsm.streams.info("Q")).state.messages).toBe(before.length);
    await publisher.close();
  });

  test("nor that what may not be published any more is not stored", async () => {
    const config = (allowed: string): string =>
      `authorization { users: [ { user: shop, password: shop, permissions: { publish: [${allowed}] } } ] }`;
    await using server = await start({ config: config(`">"`) });
    const proxy = await startProxy(server.url);
    const user = { user: "shop", pass: "shop" };
    await using nc = await connect({ servers: proxy.url, ...user, ...options });
    await workQueue(nc);
    const publisher = new ConfirmedPublisher(nc, { attemptTimeoutMs: 200 });
    let lost = 0;
    proxy.dropFromServer((frame) => isPubAck(frame) && (lost += 1) > 0);
    const unsure = publisher.publish("jobs.a", body, id("unsure"));
    await until("the acknowledgement is lost", () => lost > 0);
    const file = join(server.storeDir, "nats-server.conf");
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace(config(`">"`), config(`"_INBOX.>"`)));
    process.kill(server.pid, "SIGHUP");
    await expect(unsure).rejects.toMatchObject({
      code: "publish-timeout",
      message: expect.stringContaining("may or may not be stored"),
      cause: { code: "permission-denied" },
    });
    await expect(publisher.publish("jobs.a", body, id("sure"))).rejects.toMatchObject({
      code: "permission-denied",
    });
    await publisher.close();
  });

  test("gives up at the deadline, and says whether the message can be stored", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    await workQueue(nc);
    await deafStream(nc, "silent.>");
    const silent = nc.subscribe("silent.>");
    const publisher = new ConfirmedPublisher(nc, {
      window: 1,
      attemptTimeoutMs: 50,
      timeoutMs: 300,
    });
    const [sent, waiting] = await Promise.allSettled([
      publisher.publish("silent.a", body, id(1)),
      publisher.publish("silent.a", body, id(2)),
    ]);
    expect(sent).toMatchObject({
      reason: {
        code: "publish-timeout",
        message: expect.stringContaining("may or may not be stored"),
      },
    });
    expect(waiting).toMatchObject({ reason: { code: "publish-timeout" } });
    expect(silent.getReceived()).toBeGreaterThan(1);
    expect(publisher.pending).toBe(0);
    await publisher.close();
  });

  test("a closed connection fails what is pending at once", async () => {
    await using server = await start();
    await using nc = await connect({ servers: server.url, ...options });
    nc.subscribe("silent.>");
    const publisher = new ConfirmedPublisher(nc, { window: 1 });
    const results = Promise.allSettled([
      publisher.publish("silent.a", body, id(1)),
      publisher.publish("silent.a", body, id(2)),
    ]);
    const many = publisher.publishMany([{ subject: "silent.a", data: body, headers: id(3) }]);
    await nc.close();
    for (const result of await results)
      expect(result).toMatchObject({ reason: { code: "connection-closed" } });
    expect(await many).toMatchObject([{ kind: "failed", error: { code: "connection-closed" } }]);
    await publisher.close();
  });
});
