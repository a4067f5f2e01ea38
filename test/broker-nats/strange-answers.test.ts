import { connectBroker } from "@millrace/broker-nats";
import { UNSETTLED } from "@millrace/core";
import { connect } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { publishRaw } from "../harness/bare-client.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { within } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";

/**
 * The client finds out after some fifteen seconds that it is deaf: what waits for an answer as long
 * is heard too late.
 */
const SOON_MS = 10_000;

describeEachServer("what a subscription can't bear", (server) => {
  const connected = async (namespace: string) => {
    const broker = await connectBroker({ servers: server.url, namespace });
    cleanUpLater(() => broker.close());
    return broker;
  };

  test.each(["null", '{"error":null}', "[]", "7", '{"stream":null,"seq":"1"}', "no JSON"])(
    "the answer %s to a message is no acknowledgement, and deafens nobody",
    async (answer) => {
      // Whoever answers is not the server.
      await server.calm();
      const namespace = server.namespace();
      const other = await connect({ servers: server.url });
      cleanUpLater(() => other.close());
      other.subscribe(`orders.${namespace}`, { callback: (_e, msg) => void msg.respond(answer) });
      await other.flush();
      const broker = await connected(namespace);
      await broker.queues.ensure("mail");
      const sent = broker.messages.publish([
        {
          ...{ id: "m", subject: `orders.${namespace}`, data: Buffer.from("{}"), headers: {} },
          stored: true,
        },
      ]);
      const job = { ...UNSETTLED, id: "a", name: "mail.send", queue: "mail", payload: {} };
      const stored = broker.enqueue([{ ...job, createdAt: Date.now(), headers: {} }]);
      expect(await within(stored, SOON_MS, "a job is stored beside it")).toMatchObject([
        { id: "a" },
      ]);
      const [outcome] = await within(sent, SOON_MS, "the message has its outcome");
      expect(outcome).toMatchObject({ ok: false, error: { code: "broker-rejected" } });
    },
  );

  test("a question whose headers can't be read leaves a node with its ears", async () => {
    const namespace = server.namespace();
    const node = await connected(namespace);
    const asked = Promise.withResolvers<void>();
    const answering = await node.answerWhoRuns((id) => {
      if (id === "last") asked.resolve();
      return undefined;
    });
    await publishRaw(server, `${namespace}.ctl.who-runs`, "x y: 1", Buffer.from("first"));
    const client = await connected(namespace);
    await client.whoRuns("last", { timeoutMs: 100 });
    await within(asked.promise, SOON_MS, "it hears the next question");
    await answering.stop();
  });
});
