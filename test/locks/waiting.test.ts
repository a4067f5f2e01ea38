import { connect as connectNats, type NatsConnection } from "@nats-io/transport-node";
import { connect, type Millrace } from "millrace";
import { beforeEach, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

describeEachServer("who waits for a lock", (server) => {
  let namespace: string;
  let nc: NatsConnection;
  let client: Millrace;
  beforeEach(async () => {
    namespace = server.namespace();
    nc = await connectNats({ servers: server.url });
    cleanUpLater(() => nc.close());
    client = await connect({ servers: server.url, namespace, env: {} });
    cleanUpLater(() => client.close());
  });
  const real = { name: "user/it", holder: "web-1:17", since: 1_000 };

  test("answers where it was asked from and nowhere else, whatever the question says", async () => {
    const listening = await client.broker.locks.onRelease(real.name, () => {}, real);
    cleanUpLater(() => listening.stop());
    const heard = new Set<string>();
    nc.subscribe(">", {
      callback: (_error, { subject }) => void (subject.startsWith("_") || heard.add(subject)),
    });
    const question = `${namespace}.ctl.lock-waiting`;
    const ask = (body: string) => nc.publish(question, body, { reply: `${namespace}.jobs.mail` });
    const bad = ["x.y", "", ">", " a", 7, null].map((to) => ({ prefix: "", to }));
    for (const body of [...bad, { to: "a" }, { prefix: 7, to: "a" }, [], null, 7])
      ask(JSON.stringify(body));
    for (const body of ["", "{"]) ask(body);
    ask(JSON.stringify({ prefix: "user/", to: "last" }));
    await eventually(() => heard.has(`${namespace}.ctl.lock-waiters.last`), {
      ...{ withinMs: 60_000, describe: "an answer" },
    });
    expect([...heard]).toEqual([question, `${namespace}.ctl.lock-waiters.last`]);
  });

  test("can't on a connection that is closed, and is told so by a code", async () => {
    const { locks } = client.broker;
    await client.close();
    await expect(locks.onRelease(real.name, () => {}, real)).rejects.toMatchObject({
      code: "connection-closed",
    });
  });

  test("what is no waiter in an answer is left out", async () => {
    nc.subscribe(`${namespace}.ctl.lock-waiting`, {
      callback: (_error, msg) => {
        const subject = `${namespace}.ctl.lock-waiters.${msg.json<{ to: string }>().to}`;
        const waiters = [
          ...[7, null, {}, { ...real, since: 1e300 }, { ...real, since: -1 }],
          ...[
            { ...real, name: 7 },
            { ...real, holder: null },
            { ...real, more: "left out" },
          ],
        ];
        for (const body of ["", "{", "[]", "null", JSON.stringify({ waiters: 7 })])
          nc.publish(subject, body);
        nc.publish(subject, JSON.stringify({ waiters }));
      },
    });
    await nc.flush();
    await eventually(async () => (await client.locks.waiting()).length > 0, {
      ...{ withinMs: 60_000, describe: "the one that is a waiter" },
    });
    expect(await client.locks.waiting()).toEqual([real]);
  });
});

describeEachServer(
  "who may look only",
  (server) => {
    test.each(["hears", "asks"])(
      "is not told that nobody waits: one that only %s",
      async (user) => {
        const looker = await connect({ servers: server.url, user, password: "p", env: {} });
        cleanUpLater(() => looker.close());
        const refused = {
          code: "permission-denied",
          message: expect.stringContaining("who waits for locks"),
        };
        // Nothing remains of a refusal: each is told.
        for (const _ of [1, 2]) await expect(looker.locks.waiting()).rejects.toMatchObject(refused);
      },
    );
  },
  {
    connectWith: { user: "ada", pass: "p" },
    config: `authorization { users = [
      { user: ada, password: p }
      { user: hears, password: p, permissions: { publish: ["$JS.API.>"], subscribe: ["_INBOX.>", "millrace.>"] } }
      { user: asks, password: p, permissions: { publish: [">"], subscribe: ["_INBOX.>"] } }
    ] }`,
  },
);
