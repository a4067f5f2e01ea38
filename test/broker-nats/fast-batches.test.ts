import { type LaunchedServer } from "@millrace/nats-server";
import { DiscardPolicy, RetentionPolicy, type StreamConfig } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { describe, expect, test } from "vitest";
import { ConfirmedPublisher } from "../../packages/broker-nats/src/publish/confirmed-publisher.ts";
import { FastBatches } from "../../packages/broker-nats/src/publish/fast-batches.ts";
import { MillraceError } from "../../packages/broker-nats/src/errors.ts";
import { patientManager } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { within } from "../harness/deadline.ts";
import type { NatsFrame } from "../harness/nats-frames.ts";
import { startProxy } from "../harness/proxy.ts";
import { describeOnOwnServers } from "./real-server.ts";

const COUNT = 20;
const BODY = new Uint8Array(16).fill(1);
const FIRST_OF_SUBJECT = { "Nats-Expected-Last-Subject-Sequence": "0" };
const numbers = Array.from({ length: COUNT }, (_, index) => index);

/** Where a message stands in its batch, from 1; undefined for one that is in none. */
function placeOf(reply: string | undefined): number | undefined {
  return reply?.endsWith(".$FI") === true ? Number(reply.split(".").at(-3)) : undefined;
}

const isOfBatch = ({ reply }: NatsFrame): boolean => placeOf(reply) !== undefined;

interface Sent {
  readonly data?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly revoked?: () => MillraceError | undefined;
}

/** A stream that takes batches, and who sends it messages by a line that can be spoilt. */
async function arena(server: LaunchedServer, stream: Partial<StreamConfig> = {}) {
  const proxy = await startProxy(server.url);
  const nc = await connect({
    servers: proxy.url,
    noAsyncTraces: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    reconnectJitter: 0,
  });
  cleanUpLater(() => nc.close());
  const jsm = await patientManager(nc);
  await jsm.streams.add({
    ...{ name: "H", subjects: ["h.>"], retention: RetentionPolicy.Limits },
    ...{ allow_batched: true, duplicate_window: 120e9, ...stream },
  });
  const publisher = new ConfirmedPublisher(nc);
  const batches = new FastBatches(nc, { publisher, attemptTimeoutMs: 1_000 });
  batches.open(true);
  cleanUpLater(async () => {
    await batches.close();
    await publisher.close();
  });
  /** What became of each: "stored", or the code of its error. */
  const sendAll = (sent: (index: number) => Sent = () => ({}), of = numbers): Promise<string[]> =>
    Promise.all(
      of.map((index) => {
        const { data = BODY, headers = FIRST_OF_SUBJECT, revoked = () => undefined } = sent(index);
        const { promise, resolve, reject } = Promise.withResolvers<string>();
        const requester = {
          done: () => resolve("stored"),
          failed: (error: MillraceError) =>
            MillraceError.is(error) ? resolve(error.code) : reject(error),
          revoked,
        };
        batches.send({ subject: `h.${index}`, data, headers }, requester, index);
        return promise;
      }),
    );
  /** The subjects of what is stored, in its order. */
  const stored = async (): Promise<string[]> => {
    const { state } = await jsm.streams.info("H");
    const found: string[] = [];
    for (let seq = state.first_seq; seq <= state.last_seq; seq += 1) {
      const message = await jsm.streams.getMessage("H", { seq });
      if (message !== null) found.push(message.subject);
    }
    return found;
  };
  /** Frames to the server, as they come. */
  const seen: NatsFrame[] = [];
  proxy.dropToServer((frame) => (seen.push(frame), false));
  const inBatches = (): number => seen.filter(isOfBatch).length;
  return { proxy, nc, jsm, publisher, batches, sendAll, stored, seen, inBatches };
}

const subjects = (of: readonly number[] = numbers): string[] => of.map((index) => `h.${index}`);
const outcomes = (odd: Readonly<Record<number, string>> = {}): string[] =>
  numbers.map((index) => odd[index] ?? "stored");

/** Of jobs whose lease is over when the turn ends in which they were sent. */
function revokedAtTurnsEnd(): () => Sent {
  const over = new MillraceError("lease-lost", "over");
  let ended = false;
  queueMicrotask(() => (ended = true));
  return () => ({ revoked: () => (ended ? over : undefined) });
}

describeOnOwnServers("messages in fast batches", (start, generation) => {
  describe.runIf(generation === "newest")("where the stream takes them", () => {
    test("those of one turn are one batch, and two answers are all", async () => {
      await using server = await start();
      const { proxy, sendAll, stored, seen } = await arena(server);
      const answers: string[] = [];
      proxy.dropFromServer((frame) => {
        if (placeOf(frame.subject) !== undefined) answers.push(frame.payload.toString());
        return false;
      });
      expect(await sendAll()).toEqual(outcomes());
      expect(await stored()).toEqual(subjects());
      expect(seen.filter(isOfBatch).map(({ reply }) => placeOf(reply))).toEqual(
        numbers.map((index) => index + 1),
      );
      expect(answers.map((answer) => JSON.parse(answer) as unknown)).toEqual([
        { type: "ack", seq: 0, msgs: 500 },
        { stream: "H", seq: COUNT, batch: expect.any(String), count: COUNT },
      ]);
    });

    test("few of a turn go one by one", async () => {
      await using server = await start();
      const { sendAll, stored, inBatches } = await arena(server);
      expect(await sendAll(undefined, [0, 1, 2])).toEqual(["stored", "stored", "stored"]);
      expect(await stored()).toEqual(subjects([0, 1, 2]));
      expect(inBatches()).toBe(0);
    });

    describe.each([0, 7, COUNT - 1])("the message %i", (odd) => {
      test("that another's end keeps out is refused alone", async () => {
        await using server = await start();
        const { nc, sendAll, stored } = await arena(server);
        await nc.request(`h.${odd}`, BODY);
        expect(await sendAll()).toEqual(outcomes({ [odd]: "conflict" }));
        expect((await stored()).toSorted()).toEqual(subjects().toSorted());
      });

      test("that is too large for the stream is refused alone", async () => {
        await using server = await start();
        const { sendAll, stored, seen } = await arena(server, { max_msg_size: 1_000 });
        const large = { data: new Uint8Array(2_000) };
        expect(await sendAll((index) => (index === odd ? large : {}))).toEqual(
          outcomes({ [odd]: "payload-too-large" }),
        );
        const others = subjects(numbers.filter((index) => index !== odd));
        expect((await stored()).toSorted()).toEqual(others.toSorted());
        // What the batch had stored was not sent once more.
        const copies = seen.filter(
          ({ subject, reply }) => subject === "h.0" && reply !== undefined,
        );
        if (odd === COUNT - 1) expect(copies.filter((frame) => !isOfBatch(frame))).toEqual([]);
      });

      test("with an id that the stream knows is taken for stored: so nobody sends one that may be known", async () => {
        await using server = await start();
        const { publisher, sendAll, stored } = await arena(server);
        const id = { "Nats-Msg-Id": "known" };
        await publisher.publish("h.before", BODY, id);
        expect(await sendAll((index) => (index === odd ? { headers: id } : {}))).toEqual(
          outcomes(),
        );
        const others = subjects(numbers.filter((index) => index !== odd));
        expect((await stored()).toSorted()).toEqual(["h.before", ...others].toSorted());
      });
    });

    test("what finds no room is refused, each for itself", async () => {
      await using server = await start();
      const { sendAll, stored } = await arena(server, { max_msgs: 7, discard: DiscardPolicy.New });
      expect(await sendAll()).toEqual(
        numbers.map((index) => (index < 7 ? "stored" : "queue-full")),
      );
      expect(await stored()).toEqual(subjects(numbers.slice(0, 7)));
    });

    test("what is too large for the server, or has no fit header, is refused before it is sent", async () => {
      await using server = await start();
      const { batches } = await arena(server);
      const requester = { done: () => {}, failed: () => {} };
      const send = (data: Uint8Array, headers: Record<string, string>) => () =>
        batches.send({ subject: "h.a", data, headers }, requester, 0);
      expect(send(new Uint8Array(2_000_000), {})).toThrow(/max_payload/);
      expect(send(BODY, { a: "b\r\nc: d" })).toThrow(MillraceError);
    });

    test("a stream without the flag stores them one by one, and is asked once", async () => {
      await using server = await start();
      const { sendAll, stored, seen, inBatches } = await arena(server, { allow_batched: false });
      expect(await sendAll()).toEqual(outcomes());
      expect(await stored()).toEqual(subjects());
      seen.length = 0;
      expect(await sendAll()).toEqual(numbers.map(() => "conflict"));
      expect(inBatches()).toBe(0);
    });

    test("a stream that is gone fails each of them", async () => {
      await using server = await start();
      const { jsm, sendAll } = await arena(server);
      await jsm.streams.delete("H");
      expect(await sendAll()).toEqual(numbers.map(() => "queue-not-found"));
    });

    test("an acknowledgement that is lost: each is asked for by itself, and is there once", async () => {
      await using server = await start();
      const { proxy, sendAll, stored } = await arena(server);
      proxy.dropFromServer(({ subject }) => placeOf(subject) === COUNT);
      // What is there already refuses its own copy; who sends records looks then.
      expect(await within(sendAll(), 20_000, "all to be answered")).toEqual(
        numbers.map(() => "conflict"),
      );
      expect(await stored()).toEqual(subjects());
    });

    test("a message that is lost on its way: what came before it is believed, the rest is sent again", async () => {
      await using server = await start();
      const { proxy, sendAll, stored, seen } = await arena(server);
      proxy.dropToServer(({ reply }) => placeOf(reply) === 8);
      expect(await sendAll()).toEqual(outcomes());
      expect((await stored()).toSorted()).toEqual(subjects().toSorted());
      const alone = seen.filter((frame) => frame.subject.startsWith("h.") && !isOfBatch(frame));
      expect(alone.map(({ subject }) => subject)).toEqual(subjects(numbers.slice(7)));
    });

    test.each([
      ["the server is killed", "kill"],
      ["the connection breaks", "cut"],
    ] as const)("%s in the middle: all are stored, once", async (_, fault) => {
      await using server = await start();
      const { proxy, nc, jsm, sendAll, stored, seen } = await arena(server);
      // The server has half of the batch, open.
      const whole = proxy.dropToServer(({ reply }) => (placeOf(reply) ?? 0) > COUNT / 2);
      const sent = sendAll();
      await expect.poll(() => seen.filter(isOfBatch).length, { timeout: 20_000 }).toBe(COUNT);
      whole();
      // What it has not stored when it dies is not there for a conflict.
      await expect
        .poll(async () => (await jsm.streams.info("H")).state.messages, { timeout: 20_000 })
        .toBe(COUNT / 2);
      if (fault === "kill") {
        await server.kill();
        await server.restart();
      } else {
        await nc.flush();
        proxy.cut();
        proxy.heal();
      }
      const became = await within(sent, 30_000, "all to be answered");
      expect(became).toEqual(numbers.map((index) => (index < COUNT / 2 ? "conflict" : "stored")));
      expect((await stored()).toSorted()).toEqual(subjects().toSorted());
    });

    test("what may not go out any more when its turn ends does not, and its batch is ended", async () => {
      await using server = await start();
      const { sendAll, stored } = await arena(server);
      expect(await sendAll(revokedAtTurnsEnd())).toEqual(outcomes({ [COUNT - 1]: "lease-lost" }));
      expect(await stored()).toEqual(subjects(numbers.slice(0, -1)));
    });

    test("where nothing may go out any more, nothing does, and no batch is ended", async () => {
      await using server = await start();
      const { jsm, sendAll, seen } = await arena(server);
      const revoked = (): MillraceError => new MillraceError("lease-lost", "over");
      expect(await sendAll(() => ({ revoked }))).toEqual(numbers.map(() => "lease-lost"));
      expect((await jsm.streams.info("H")).state.messages).toBe(0);
      expect(seen.filter((frame) => frame.subject === "" || isOfBatch(frame))).toEqual([]);
    });

    test("one that is left alone in its batch and is refused is not asked for without end", async () => {
      await using server = await start();
      const { sendAll, inBatches } = await arena(server);
      const revoked = (): MillraceError => new MillraceError("lease-lost", "over");
      const headers = { "Nats-Expected-Last-Subject-Sequence": "5" };
      const last = COUNT - 1;
      expect(await sendAll((index) => (index === last ? { headers } : { revoked }))).toEqual(
        numbers.map((index) => (index === last ? "conflict" : "lease-lost")),
      );
      // What is asked over the same line comes after whatever the refusal led to.
      expect(await sendAll(undefined, [0])).toEqual(["stored"]);
      expect(inBatches()).toBeLessThanOrEqual(2);
    });

    test("closing waits for what is under way", async () => {
      await using server = await start();
      const { batches, sendAll, stored, inBatches } = await arena(server);
      const sent = sendAll();
      await batches.close();
      expect(await sent).toEqual(outcomes());
      expect(await stored()).toEqual(subjects());
      expect(inBatches()).toBe(COUNT);
    });

    test("two who send at once do not come into each other's batches", async () => {
      await using server = await start();
      const one = await arena(server);
      const batches = new FastBatches(one.nc, { publisher: one.publisher });
      batches.open(true);
      const other = numbers.map(
        (index) =>
          new Promise<string>((resolve, reject) =>
            batches.send(
              { subject: `h.other.${index}`, data: BODY, headers: FIRST_OF_SUBJECT },
              { done: () => resolve("stored"), failed: reject },
              index,
            ),
          ),
      );
      expect(await one.sendAll()).toEqual(outcomes());
      expect(await Promise.all(other)).toEqual(outcomes());
      expect(await one.stored()).toHaveLength(2 * COUNT);
      await batches.close();
    });
  });

  describe.runIf(generation === "2.10")("where the server knows nothing of them", () => {
    test("each is stored and confirmed by itself, and nothing else is", async () => {
      await using server = await start();
      const { sendAll, stored } = await arena(server);
      expect(await sendAll(revokedAtTurnsEnd())).toEqual(outcomes({ [COUNT - 1]: "lease-lost" }));
      expect(await stored()).toEqual(subjects(numbers.slice(0, -1)));
    });
  });
});
