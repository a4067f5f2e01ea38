import { decodeBody, type HistoryRecord } from "@millrace/core";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { patientConnection } from "../../../packages/broker-nats/src/connection/patient-connection.ts";

/**
 * Every history record as it lies in the stream, oldest first. Read past the product's own reader, which is one of the
 * things on trial.
 */
export async function readRecords(
  servers: string,
  namespace: string,
): Promise<readonly HistoryRecord[]> {
  const connection = await connect({ servers: servers.split(",") });
  try {
    const stream = `${namespace}-history`;
    const { state } = await (
      await jetstreamManager(patientConnection(connection))
    ).streams.info(stream);
    const records: HistoryRecord[] = [];
    if (state.messages === 0) return records;
    const consumer = await jetstream(connection).consumers.get(stream);
    const messages = await consumer.consume();
    for await (const message of messages) {
      records.push(decodeBody(message.data, "application/msgpack") as HistoryRecord);
      if (message.seq >= state.last_seq) break;
    }
    await messages.close();
    return records;
  } finally {
    await connection.close();
  }
}
