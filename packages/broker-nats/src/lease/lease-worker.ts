// Runs in a thread of its own, so that a handler that blocks the main thread's event loop can't stop it.
import { parentPort, workerData } from "node:worker_threads";
import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { connectNats } from "../connection/connect-nats.ts";
import { watchConnection } from "../connection/connection-events.ts";
import { MillraceError } from "../errors.ts";
import { newInbox } from "../wire/inbox.ts";
import { readStatus } from "../wire/read-headers.ts";
import { LeaseSegment, SLOTS_PER_SEGMENT } from "./lease-segment.ts";
import { LockExtender } from "./lock-extender.ts";
import { readLockOrder } from "./lock-order.ts";
import { elapsedMs, sharedNowMs } from "./shared-clock.ts";
import type { FromWorker, LeaseWorkerData, ToWorker } from "./worker-messages.ts";

const WORKING = new TextEncoder().encode("+WPI");

const { connection, segments: buffers, tickMs } = workerData as LeaseWorkerData;
const segments = buffers.map((buffer) => new LeaseSegment(buffer));
const extender = new LockExtender();
const stopConnecting = new AbortController();
let link: { readonly nc: NatsConnection; readonly prefix: string } | undefined;

const post = (message: FromWorker): void => parentPort?.postMessage(message);

/** Leases are watched from the start: one that can't be extended because nobody answers must still be declared lost. */
const timer = setInterval(tick, tickMs);

parentPort?.on("message", (message: ToWorker) => {
  if (message.kind === "segment") segments.push(new LeaseSegment(message.buffer));
  else void close();
});

try {
  const { nc } = await connectNats(
    { ...connection, waitOnFirstConnect: true },
    stopConnecting.signal,
  );
  if (stopConnecting.signal.aborted) await nc.close();
  else open(nc);
} catch (error) {
  if (!stopConnecting.signal.aborted) fail(error);
}

function open(nc: NatsConnection): void {
  const prefix = `${newInbox(nc)}.`;
  nc.subscribe(`${prefix}>`, {
    callback: (error, msg) => (error ? fail(error) : confirmed(nc, prefix, msg)),
  });
  // What is written while disconnected may vanish or arrive late: nothing is.
  const connected = { nc, prefix };
  link = connected;
  watchConnection(nc, (status) => {
    if (status.type === "disconnect") link = undefined;
    if (status.type === "reconnect") link = connected;
  });
  post({ kind: "ready" });
}

function tick(): void {
  for (let s = 0; s < segments.length; s += 1) {
    const segment = segments[s] as LeaseSegment;
    for (let slot = 0; slot < SLOTS_PER_SEGMENT; slot += 1) {
      const generation = segment.heldGeneration(slot);
      if (generation !== undefined) look(segment, slot, generation, s * SLOTS_PER_SEGMENT + slot);
    }
  }
}

/** The age decides before anything is sent: a process that was frozen must not extend a lease that is another's by now. */
function look(segment: LeaseSegment, slot: number, generation: number, number: number): void {
  const nowMs = sharedNowMs();
  const age = segment.age(slot, nowMs);
  if (age === "over") {
    if (segment.declareLost(slot, generation)) post({ kind: "lost", slot: number, generation });
    return;
  }
  if (age === "fresh" || link === undefined) return;
  const subject = segment.subject(slot, generation);
  if (subject === undefined) return;
  // The reply's subject says all there is to know when it comes, so nothing is kept for it.
  const reply = `${link.prefix}${number}.${generation}.${nowMs}`;
  const order = readLockOrder(subject);
  if (order === undefined) link.nc.publish(subject, WORKING, { reply });
  // A lock's holder renews by itself when this is due: that it can't shows at half of the lease. What could not then can't yet, or it would have
  // registered its renewal. From there on each third counts, so that an election of the servers has time to end.
  else if (
    extender.isExtending(number, generation) ||
    elapsedMs(segment.confirmedMs(slot), nowMs) >= segment.leaseMs(slot) / 2
  )
    extender.send(
      link.nc,
      { number, generation, nowMs, leaseMs: segment.leaseMs(slot) },
      order,
      reply,
    );
}

function confirmed(nc: NatsConnection, prefix: string, msg: Msg): void {
  if (readStatus(msg).code !== 0) return;
  const [number = 0, generation = 0, sentMs = 0] = msg.subject
    .slice(prefix.length)
    .split(".")
    .map(Number);
  const segment = segments[Math.floor(number / SLOTS_PER_SEGMENT)];
  const slot = number % SLOTS_PER_SEGMENT;
  if (!extender.isExtending(number, generation)) segment?.confirm(slot, generation, sentMs);
  else
    extender.judge(nc, number, generation, msg).then(
      ({ kind }) => {
        if (kind === "extended") segment?.confirm(slot, generation, sentMs);
        // Its holder finds out by itself; here it is only extended no longer.
        if (kind === "superseded") segment?.declareLost(slot, generation);
      },
      () => {
        // No answer to the look. The next turn tries again, and the clock decides meanwhile.
      },
    );
}

function fail(error: unknown): void {
  const { code, message } =
    error instanceof MillraceError
      ? error
      : new MillraceError("broker-unavailable", `Leases can't be extended: ${String(error)}`);
  post({ kind: "failed", code, message });
  void close();
}

async function close(): Promise<void> {
  stopConnecting.abort();
  clearInterval(timer);
  const nc = link?.nc;
  link = undefined;
  await nc?.close();
  parentPort?.close();
}
