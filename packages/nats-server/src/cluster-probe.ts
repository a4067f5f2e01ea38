import { jetstreamManager, StorageType } from "@nats-io/jetstream";
import { connect, type ConnectionOptions } from "@nats-io/transport-node";
import { setTimeout as sleep } from "node:timers/promises";

const PROBE_STREAM = "millrace-probe";
const REQUEST_MS = 2_000;
const POLL_MS = 50;

/**
 * Whether the cluster takes a stream with a replica on every member, within the deadline. Nothing
 * less tells: the members agree on a leader, and report themselves healthy, before they can hold
 * each other's replicas.
 */
export async function takesReplicatedStream(
  options: ConnectionOptions,
  replicas: number,
  withinMs: number,
): Promise<boolean> {
  const connection = await connect({ ...options, noAsyncTraces: true });
  try {
    const deadline = performance.now() + withinMs;
    while (performance.now() < deadline) {
      try {
        const { streams } = await jetstreamManager(connection, { timeout: REQUEST_MS });
        await streams.add({
          name: PROBE_STREAM,
          subjects: [PROBE_STREAM],
          storage: StorageType.Memory,
          num_replicas: replicas,
        });
        await streams.delete(PROBE_STREAM);
        return true;
      } catch {
        // Not yet: the reasons (no leader, no peers, a time-out) all end the same way.
        await sleep(POLL_MS);
      }
    }
    return false;
  } finally {
    await connection.close();
  }
}
