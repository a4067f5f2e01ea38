import { decodeBody, type HistoryRecord } from "@millrace/core";
import { DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { retryingRequests } from "../../../packages/broker-nats/src/connection/retrying-requests.ts";

/** Every history record as it lies in the stream, oldest first. */
export async function readRecords(
  servers: string,
  namespace: string,
): Promise<readonly HistoryRecord[]> {
  const connection = await connect({ servers: servers.split(",") });
  try {
    return (await readRecordsFrom(connection, `${namespace}-history`, 1)).records;
  } finally {
    await connection.close();
  }
}

export interface ReadRecords {
  readonly records: readonly HistoryRecord[];
  /** Sequence of the oldest record in the stream, and of the newest. */
  readonly first: number;
  readonly last: number;
}

/**
 * Those from a sequence on. Read past the product's own reader, which is one of the things on
 * trial.
 */
export async function readRecordsFrom(
  connection: NatsConnection,
  stream: string,
  from: number,
): Promise<ReadRecords> {
  const patient = retryingRequests(connection);
  const { state } = await (await jetstreamManager(patient)).streams.info(stream);
  const { first_seq: first, last_seq: last } = state;
  const records: HistoryRecord[] = [];
  if (state.messages === 0 || last < from) return { records, first, last };
  const consumer = await jetstream(patient).consumers.get(stream, {
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: from,
  });
  const messages = await consumer.consume();
  for await (const message of messages) {
    records.push(decodeBody(message.data, "application/msgpack") as HistoryRecord);
    if (message.seq >= last) break;
  }
  await messages.close();
  await consumer.delete();
  return { records, first, last };
}
