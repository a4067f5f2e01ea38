import { type Envelope, UNSETTLED } from "@millrace/core";
import { connect } from "@nats-io/transport-node";
import { expect, test, vi } from "vitest";
import { requeueMessage } from "../../packages/broker-nats/src/messages/envelope-message.ts";
import { ConfirmedPublisher } from "../../packages/broker-nats/src/publish/confirmed-publisher.ts";
import { OwnWords } from "../../packages/broker-nats/src/publish/own-words.ts";
import { Names } from "../../packages/broker-nats/src/topology/subjects.ts";
import { patientManager } from "../harness/administrator.ts";
import { isPubAck } from "../harness/nats-frames.ts";
import { startProxy } from "../harness/proxy.ts";
import { connected } from "./connected.ts";
import { describeOnOwnServers } from "./real-server.ts";

vi.setConfig({ testTimeout: 60_000 });

const QUEUE = "mail";

/** The next of a chain, of one run of it or of another. */
function link(createdAt: number): Envelope {
  const of = { id: "report:2", name: "t.job", queue: QUEUE, payload: null, headers: {} };
  return { ...UNSETTLED, ...of, createdAt, sentFrom: QUEUE, unkeyed: createdAt };
}

describeOnOwnServers("a job whose id another had, and whose answer got lost", (start) => {
  test("is stored once, though the server was killed and has forgotten the other", async () => {
    await using server = await start();
    const proxy = await startProxy(server.url);
    const broker = await connected({ servers: server.url });
    await broker.queues.ensure(QUEUE);
    await using nc = await connect({ servers: proxy.url, maxReconnectAttempts: -1 });
    const jsm = await patientManager(nc);
    const names = new Names("millrace");
    const publisher = new ConfirmedPublisher(nc, { attemptTimeoutMs: 100, timeoutMs: 1_000 });
    const words = new OwnWords(
      { nc, retrying: nc, jsm, names, maxValues: 1_000 },
      publisher,
      { read: () => Promise.resolve([]) },
      () => Promise.resolve({ windowMs: 120_000, since: 0 }),
    );
    const say = (job: Envelope) =>
      words.publish({ publication: requeueMessage(job, names, 100_000), job });
    const stream = names.queueStream(QUEUE);
    await say(link(1_000_000));
    // It has run, and is gone.
    await jsm.streams.purge(stream);

    const own = link(9_000_000);
    let acks = 0;
    const heal = proxy.dropFromServer((frame) => isPubAck(frame) && (acks += 1) > 1);
    await expect(say(own)).rejects.toMatchObject({ code: "publish-timeout" });
    heal();
    await server.kill();
    await server.restart();
    expect(await say(own)).toMatchObject({ duplicate: true });
    expect((await jsm.streams.info(stream)).state.messages).toBe(1);
    await publisher.close();
  });
});
