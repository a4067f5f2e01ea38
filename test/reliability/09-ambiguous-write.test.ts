import { expect, it } from "vitest";
import { isPubAck, type NatsFrame } from "../harness/nats-frames.ts";
import { type NatsProxy, startProxy } from "../harness/proxy.ts";
import { describeEachServer, type TestServer } from "../harness/servers.ts";
import { together } from "./harness/together.ts";
import { Trial } from "./harness/trial.ts";
import { connectTo } from "./programs/connect.ts";
import { QUEUE, type Work } from "./programs/work.ts";

const JOBS: Readonly<Record<string, Work>> = {
  ...Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`good-${n}`, { do: "work" }])),
  ...Object.fromEntries(
    Array.from({ length: 10 }, (_, n) => [`retried-${n}`, { do: "fail", times: 1 }]),
  ),
  ...Object.fromEntries(
    Array.from({ length: 3 }, (_, n) => [`dying-${n}`, { do: "fail", times: 9 }]),
  ),
};

/** No lease ends here, on a busy machine either: nothing runs again. */
const LEASE_MS = 30_000;

describeEachServer("9: an answer that is lost after the server did what was asked", (server) => {
  it("makes nothing run again, and leaves nothing there twice", async () => {
    const trial = (matches: Match, backoffMs?: number) => async () => {
      const { trial, drop } = await throughProxy(server, matches, backoffMs);
      await trial.publish(JOBS);
      await finish(trial, server);
      drop.expectDropped();
    };
    await together({
      "the PubAck of an enqueue": () => enqueueThroughProxy(server),
      "the PubAck of a retry": trial((frame) => isPubAckOf(frame, `-queue-${QUEUE}`)),
      "the PubAck of a delayed retry": trial((frame) => isPubAckOf(frame, "-delayed"), 300),
      "the PubAck of a history record": trial((frame) => isPubAckOf(frame, "-history")),
      "the PubAck of a dead letter": trial((frame) => isPubAckOf(frame, "-dead")),
      "an ack on its way": trial(undefined),
    });
  });

  it("to a lease's extension: the handler is told, settles nothing, and the job runs again", async () => {
    const trial = await Trial.start(server);
    const proxy = await startProxy(server.url);
    // Its lease is shorter than an election.
    await server.calm();
    const a = await trial.node("a", { servers: proxy.url });
    await trial.publish({ job: { do: "hold", deliveries: 1 } });
    await a.heard("started", "job");
    const over = trial.fault("extensions are not confirmed", "repeated-attempt", "stale-effect");
    const stop = proxy.dropFromServer(
      (frame) => frame.payload.length === 0 && frame.subject.startsWith("_INBOX"),
    );
    expect((await a.heard("aborted", "job")).cause).toBe("lease-lost");
    stop();
    over();
    a.release("job");
    await trial.drained();
    expect(await trial.expectClean()).toMatchObject({ runs: 2, succeeded: 1 });
  });
});

async function enqueueThroughProxy(server: TestServer): Promise<void> {
  const trial = await Trial.start(server);
  const proxy = await startProxy(server.url);
  const broker = await connectTo({ servers: proxy.url, namespace: trial.namespace });
  const drop = dropFirst(proxy, (frame) => isPubAckOf(frame, `-queue-${QUEUE}`));
  await trial.publish(JOBS, broker);
  drop.expectDropped();
  const { queued } = await trial.broker.queues.snapshot(QUEUE);
  expect(queued).toBe(Object.keys(JOBS).length);
  await broker.close();
  await trial.node("a", { leaseMs: LEASE_MS });
  await finish(trial, server);
}

/** Without one: the acks that a node sends. */
type Match = ((frame: NatsFrame) => boolean) | undefined;

/**
 * A node behind a proxy that drops the first frames of a kind; without a kind, of the acks that it
 * sends.
 */
async function throughProxy(server: TestServer, matches: Match, backoffMs = 0) {
  const trial = await Trial.start(server);
  const proxy = await startProxy(server.url);
  const drop =
    matches === undefined ? dropFirst(proxy, isAck, "toServer") : dropFirst(proxy, matches);
  await trial.node("a", { servers: proxy.url, backoffMs, leaseMs: LEASE_MS });
  return { trial, drop };
}

const DROPS = 3;

/** The first few only: what is sent again gets through. */
function dropFirst(
  proxy: NatsProxy,
  matches: (frame: NatsFrame) => boolean,
  way: "fromServer" | "toServer" = "fromServer",
) {
  let dropped = 0;
  const filter = (frame: NatsFrame): boolean => {
    if (dropped >= DROPS || !matches(frame)) return false;
    dropped += 1;
    return true;
  };
  if (way === "fromServer") proxy.dropFromServer(filter);
  else proxy.dropToServer(filter);
  return { expectDropped: () => expect(dropped).toBe(DROPS) };
}

function isPubAckOf(frame: NatsFrame, streamEnd: string): boolean {
  return (
    isPubAck(frame) &&
    (JSON.parse(frame.payload.toString()) as { stream: string }).stream.endsWith(streamEnd)
  );
}

function isAck(frame: NatsFrame): boolean {
  return frame.subject.startsWith("$JS.ACK.") && frame.payload.toString() === "+ACK";
}

/**
 * No fault is declared: an answer that is lost must not make anything run twice. In cluster mode
 * the death of a leader may.
 */
async function finish(trial: Trial, { deaths }: TestServer): Promise<void> {
  await trial.drained();
  const counts = await trial.expectClean();
  expect(counts).toMatchObject({ confirmed: 23, succeeded: 20, dead: 3 });
  expect(counts.runs - counts.repeats).toBe(10 + 2 * 10 + 3 * trial.maxAttempts);
  const letters = await trial.broker.deadLetters.list({ queue: QUEUE });
  expect(new Set(letters.map(({ id }) => id)).size).toBe(3);
  // A leader that died may have its successor store a retry a second time, and each copy of the
  // last one ends as a dead letter.
  if (deaths.length === 0) expect(letters).toHaveLength(3);
  for (const id of Object.keys(JOBS)) {
    const records = await trial.broker.history.read({ id, queue: QUEUE });
    const attempts = id.startsWith("good") ? 1 : id.startsWith("retried") ? 2 : trial.maxAttempts;
    expect(new Set(records.map(({ generation }) => generation)).size).toBe(attempts);
    if (deaths.length === 0) expect(records).toHaveLength(attempts);
  }
}
