import { MillraceError } from "@millrace/core";
import {
  type ConsumerConfig,
  type JetStreamManager,
  jetstreamManager,
  type StreamInfo,
} from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { brokerConfig, type NatsBrokerOptions } from "../broker-options.ts";
import { connectNats } from "../connection/connect-nats.ts";
import { apiCode, CONSUMER_NOT_FOUND } from "../jetstream-errors.ts";
import { LANE_CONSUMERS, Names } from "../topology/subjects.ts";
import { fail, type Finding, ok, skip } from "./finding.ts";
import { judgeQueue } from "./judge-queue.ts";
import {
  judgeRoundTrip,
  judgeSkew,
  judgeStorage,
  judgeSync,
  judgeVersion,
} from "./judge-server.ts";

/** Only the system account is answered; others would wait for nothing. */
const SYSTEM_PATIENCE_MS = 500;

/**
 * Looks at a server and at what a namespace has on it, and says what is wrong with it and what to do. Changes nothing.
 * A connection that fails is a finding, not an error.
 */
export async function diagnose(options: NatsBrokerOptions): Promise<readonly Finding[]> {
  const { connection, namespace } = brokerConfig(options);
  let nc: NatsConnection;
  try {
    ({ nc } = await connectNats(connection));
  } catch (error) {
    if (!MillraceError.is(error)) throw error;
    return [
      fail(
        "connection",
        `${error.message} (${error.code})`,
        "Nothing else can be looked at before this is mended.",
      ),
    ];
  }
  try {
    return await look(nc, new Names(namespace));
  } finally {
    await nc.close();
  }
}

async function look(nc: NatsConnection, names: Names): Promise<readonly Finding[]> {
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  const clustered = nc.info?.cluster !== undefined && nc.info.cluster !== "";
  const rttMs = await nc.rtt();
  const server = [judgeRoundTrip(rttMs), judgeVersion(nc.info?.version ?? "0.0.0", clustered)];
  const account = await jsm.getAccountInfo();
  const storage = judgeStorage({
    usedBytes: account.storage,
    limitBytes: account.limits.max_storage,
  });
  const streams = await streamsOf(jsm, names);
  const queues: Finding[] = [];
  for (const { config } of streams.filter(({ config: { name } }) =>
    name.startsWith(names.queueStreamPrefix),
  )) {
    const queue = config.name.slice(names.queueStreamPrefix.length);
    queues.push(
      ...judgeQueue({
        queue,
        stream: config,
        consumers: await consumersOf(jsm, config.name),
        clustered,
      }),
    );
  }
  if (queues.length === 0)
    queues.push(
      ok(
        "queues",
        `namespace ${names.namespace} has no queues yet: a node makes those of its jobs when it starts`,
      ),
    );
  return [...server, storage, await clock(jsm, streams), judgeSync(await syncOf(nc)), ...queues];
}

async function streamsOf(jsm: JetStreamManager, names: Names): Promise<readonly StreamInfo[]> {
  const streams: StreamInfo[] = [];
  for await (const stream of jsm.streams.list()) {
    if (stream.config.name.startsWith(`${names.namespace}-`)) streams.push(stream);
  }
  return streams;
}

async function consumersOf(
  jsm: JetStreamManager,
  stream: string,
): Promise<readonly ConsumerConfig[]> {
  const found = await Promise.all(
    Object.values(LANE_CONSUMERS).map((name) => consumerOf(jsm, stream, name)),
  );
  return found.filter((consumer) => consumer !== undefined);
}

async function consumerOf(
  jsm: JetStreamManager,
  stream: string,
  name: string,
): Promise<ConsumerConfig | undefined> {
  try {
    return (await jsm.consumers.info(stream, name)).config;
  } catch (error) {
    if (apiCode(error) === CONSUMER_NOT_FOUND) return undefined;
    throw error;
  }
}

/** A stream's description carries the server's time; the answer was made about half a round trip ago. */
async function clock(jsm: JetStreamManager, streams: readonly StreamInfo[]): Promise<Finding> {
  const name = streams[0]?.config.name;
  if (name === undefined)
    return skip("clock", "the server's clock shows only where there is a stream");
  const before = Date.now();
  const { ts } = await jsm.streams.info(name);
  const after = Date.now();
  if (ts === undefined) return skip("clock", "this server does not tell its time");
  return judgeSkew((before + after) / 2 - Date.parse(ts), (after - before) / 2 + 1);
}

interface ServerReport {
  readonly data?: {
    readonly config?: { readonly sync_always?: boolean; readonly sync_interval?: number };
  };
}

async function syncOf(
  nc: NatsConnection,
): Promise<{ always: boolean; intervalNs: number } | undefined> {
  try {
    const reply = await nc.request("$SYS.REQ.SERVER.PING.JSZ", "{}", {
      timeout: SYSTEM_PATIENCE_MS,
    });
    const config = reply.json<ServerReport>().data?.config;
    return config === undefined
      ? undefined
      : { always: config.sync_always === true, intervalNs: config.sync_interval ?? 0 };
  } catch {
    // Not answered or not permitted: the same to this account, and said so in the finding.
    return undefined;
  }
}
