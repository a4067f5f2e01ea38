import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { retryingRequests } from "../../../packages/broker-nats/src/connection/retrying-requests.ts";
import { type LedgerEntry, ledgerNowMs } from "../oracle/ledger-entry.ts";

/**
 * Of a queue that does not get empty: the oldest job, all that the ledger knows of it, and how much
 * each consumer has given away.
 */
export async function diagnose(
  nc: NatsConnection,
  stream: string,
  ledger: readonly LedgerEntry[],
): Promise<string> {
  const jsm = await jetstreamManager(retryingRequests(nc));
  const { state } = await jsm.streams.info(stream);
  const message = await jsm.streams.getMessage(stream, { seq: state.first_seq });
  const consumers: string[] = [];
  for await (const info of jsm.consumers.list(stream))
    consumers.push(
      `${info.name}: ${info.num_ack_pending} unacked, ${info.num_pending} undelivered, ${info.num_redelivered} redelivered, ${info.num_waiting} pulls, delivered ${info.delivered.stream_seq}, floor ${info.ack_floor.stream_seq}`,
    );
  const id = message?.header.get("Nats-Msg-Id") ?? "";
  const entries = ledger.filter((entry) =>
    [entry.id, `millrace/${entry.id}`].some((of) => id === of || id.startsWith(`${of}/`)),
  );
  return [
    `sequences ${state.first_seq} to ${state.last_seq}, ${state.messages} messages`,
    ...consumers,
    `the first: ${message?.subject} ${message?.header.toString()}`,
    ...entries.map((entry) => JSON.stringify(entry)),
    `now ${ledgerNowMs()}`,
  ].join("\n");
}
