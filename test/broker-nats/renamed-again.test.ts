import { type Envelope, MillraceError, UNSETTLED } from "@millrace/core";
import type { LaunchedServer } from "@millrace/nats-server";
import { connect } from "@nats-io/transport-node";
import { expect, test, vi } from "vitest";
import { DueMover } from "../../packages/broker-nats/src/delayed/due-mover.ts";
import { EarlierCopies } from "../../packages/broker-nats/src/lookup/earlier-copies.ts";
import { machineOf } from "../../packages/broker-nats/src/machine/machine.ts";
import { blockedMessage } from "../../packages/broker-nats/src/messages/blocked-message.ts";
import { requeueMessage } from "../../packages/broker-nats/src/messages/envelope-message.ts";
import { ConfirmedPublisher } from "../../packages/broker-nats/src/publish/confirmed-publisher.ts";
import { enqueueOwn } from "../../packages/broker-nats/src/publish/enqueue-own.ts";
import { OwnWords } from "../../packages/broker-nats/src/publish/own-words.ts";
import { NatsBlocked } from "../../packages/broker-nats/src/store/nats-blocked.ts";
import { DedupeWindows } from "../../packages/broker-nats/src/topology/dedupe-windows.ts";
import { Names } from "../../packages/broker-nats/src/topology/subjects.ts";
import { patientManager } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually, within } from "../harness/deadline.ts";
import { isPubAck } from "../harness/nats-frames.ts";
import { startProxy } from "../harness/proxy.ts";
import { connected } from "./connected.ts";
import { describeOnOwnServers } from "./real-server.ts";

vi.setConfig({ testTimeout: 60_000 });

const QUEUE = "mail";
const ROOM = 100_000;

/** The next of a chain, of one run of it or of another; read anew each time. */
function link(createdAt: number, generation = 0): Envelope {
  const of = { id: "report:2", name: "t.job", queue: QUEUE, payload: null, headers: {} };
  return { ...UNSETTLED, ...of, createdAt, sentFrom: QUEUE, unkeyed: createdAt, generation };
}

const OTHER = 1_000_000;
const OWN = 9_000_000;

/** What the runtime publishes with, on a line whose answers can be lost. */
async function program(server: LaunchedServer) {
  const proxy = await startProxy(server.url);
  const broker = await connected({ servers: server.url });
  await broker.queues.ensure(QUEUE);
  // Whatever is kept in no queue has a stream then.
  await broker.serverNow();
  const nc = await connect({ servers: proxy.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  cleanUpLater(() => nc.close());
  const jsm = await patientManager(nc);
  const names = new Names("millrace");
  const publisher = new ConfirmedPublisher(nc, { attemptTimeoutMs: 100, timeoutMs: 1_000 });
  cleanUpLater(() => publisher.close());
  const access = { nc, retrying: nc, jsm, names, maxValues: 1_000 };
  const windows = new DedupeWindows(access);
  const ownWords = new OwnWords(access, publisher, { read: () => Promise.resolve([]) }, (queue) =>
    windows.memoryOf(queue),
  );
  const stream = names.queueStream(QUEUE);
  /** Publishes another's job, which then has run and is gone. */
  const takeId = async (message: ReturnType<typeof requeueMessage>): Promise<void> => {
    await publisher.publish(message.subject, message.data, message.headers);
    await jsm.streams.purge(stream);
  };
  /** All but the first, which tells of the other. */
  const loseAnswers = (): (() => void) => {
    let acks = 0;
    return proxy.dropFromServer((frame) => isPubAck(frame) && (acks += 1) > 1);
  };
  const killed = async (): Promise<void> => {
    await server.kill();
    await server.restart();
  };
  const queued = async (): Promise<number> => (await jsm.streams.info(stream)).state.messages;
  const earlier = new EarlierCopies(access, windows);
  const parts = { server: access, publisher, ownWords, earlier };
  return { broker, names, publisher, ownWords, parts, takeId, loseAnswers, killed, queued, nc };
}

describeOnOwnServers("a job whose id another had, and whose answer got lost", (start) => {
  const unsure = { code: "publish-timeout" };

  test("is stored once, though the server was killed and has forgotten the other", async () => {
    await using server = await start();
    const { names, ownWords, takeId, loseAnswers, killed, queued } = await program(server);
    await takeId(requeueMessage(link(OTHER), names, ROOM));
    const say = () => {
      const job = link(OWN);
      return ownWords.publish({ publication: requeueMessage(job, names, ROOM), job });
    };
    const heal = loseAnswers();
    await expect(say()).rejects.toMatchObject(unsure);
    heal();
    await killed();
    expect(await say()).toMatchObject({ duplicate: true });
    expect(await queued()).toBe(1);
  });

  test("is stored once by a schedule too", async () => {
    await using server = await start();
    const { names, parts, nc, takeId, loseAnswers, killed, queued } = await program(server);
    await takeId(requeueMessage(link(OTHER), names, ROOM));
    const limits = { maxMessageBytes: ROOM, maxValues: 1_000, maxDelayMs: 1_000 };
    const host = { ...parts, names, limits, clock: machineOf(nc).clock };
    const heal = loseAnswers();
    expect(await enqueueOwn([link(OWN)], host)).toMatchObject([{ ok: false, error: unsure }]);
    heal();
    await killed();
    expect(await enqueueOwn([link(OWN)], host)).toMatchObject([{ ok: true, duplicate: true }]);
    expect(await queued()).toBe(1);
  });

  test("is stored once by a mover that forwards it again", async () => {
    await using server = await start();
    const { broker, names, parts, takeId, loseAnswers, killed, queued } = await program(server);
    await takeId(requeueMessage(link(OTHER, 1), names, ROOM));
    await broker.requeue({ ...link(OWN, 1), notBefore: Date.now() + 500 });
    const heal = loseAnswers();
    const failed = Promise.withResolvers<void>();
    const mover = await DueMover.start({
      ...parts,
      remakeStreams: () => Promise.resolve(),
      onProblem: (error) => {
        if (MillraceError.is(error, "publish-timeout")) failed.resolve();
      },
    });
    cleanUpLater(() => mover.stop());
    await within(failed.promise, 20_000, "the forward to fail");
    await killed();
    heal();
    await eventually(async () => (await broker.delayed.count()) === 0, {
      withinMs: 30_000,
      describe: "no delayed job left",
    });
    expect(await queued()).toBe(1);
  });

  test("is stored once when its gate lets it in again", async () => {
    await using server = await start();
    const { broker, names, publisher, parts, takeId, loseAnswers, killed, queued } =
      await program(server);
    const job = link(OWN, 1);
    const requeue = requeueMessage(job, names, ROOM);
    const blocked = blockedMessage(requeue, job, "gate", names);
    await publisher.publish(blocked.subject, blocked.data, blocked.headers);
    await takeId({
      ...requeueMessage(link(OTHER), names, ROOM),
      headers: { "Nats-Msg-Id": blocked.headers["Nats-Msg-Id"] as string },
    });
    const gates = new NatsBlocked({ ...parts, onProblem: () => {} });
    const heal = loseAnswers();
    await expect(gates.release(QUEUE, "gate", 1)).rejects.toMatchObject(unsure);
    heal();
    await killed();
    await gates.release(QUEUE, "gate", 1);
    expect(await broker.blocked.count()).toBe(0);
    expect(await queued()).toBe(1);
  });
});
