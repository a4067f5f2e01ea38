// Runs in a thread of its own, so that a handler that stalls the main thread's event loop can't
// stop it.
import { parentPort, workerData } from "node:worker_threads";
import { closeForGood } from "../connection/close-for-good.ts";
import { connectNats } from "../connection/connect-nats.ts";
import { MillraceError } from "../errors.ts";
import { Extensions } from "./extensions.ts";
import { LeaseSegment } from "./lease-segment.ts";
import { sharedNowMs } from "./shared-clock.ts";
import type { FromWorker, LeaseWorkerData, ToWorker } from "./worker-messages.ts";

const { connection, segments: buffers, tickMs } = workerData as LeaseWorkerData;
const segments = buffers.map((buffer) => new LeaseSegment(buffer));
const stopConnecting = new AbortController();
const post = (message: FromWorker): void => parentPort?.postMessage(message);

const extensions = new Extensions({
  segments,
  nowMs: sharedNowMs,
  onLost: (slot, generation) => post({ kind: "lost", slot, generation }),
  onRefused: fail,
});
const timer = setInterval(() => extensions.tick(), tickMs);

parentPort?.on("message", (message: ToWorker) => {
  if (message.kind === "segment") segments.push(new LeaseSegment(message.buffer));
  else void close();
});

// No await at the top: a bundle in CommonJS can't have one.
open().catch((error: unknown) => {
  if (!stopConnecting.signal.aborted) fail(error);
});

async function open(): Promise<void> {
  const { nc } = await connectNats(
    { ...connection, waitOnFirstConnect: true },
    stopConnecting.signal,
    ({ cause, message }) =>
      post({ kind: "waiting", message: cause instanceof Error ? cause.message : message }),
  );
  if (stopConnecting.signal.aborted) return closeForGood(nc);
  extensions.open(nc);
  post({ kind: "ready" });
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
  const nc = extensions.close();
  if (nc !== undefined) await closeForGood(nc);
  parentPort?.close();
}
