import {
  DEFAULT_MAX_VALUES,
  LANE_CONSUMERS,
  MillraceError,
  type QueueSnapshot,
  recordError,
} from "@millrace/core";
import { type JetStreamManager, jetstreamManager, type StreamInfo } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { machineOf } from "../machine/machine.ts";
import { brokerConfig, type NatsBrokerOptions } from "../broker-options.ts";
import { connectNats } from "../connection/connect-nats.ts";
import { serverFeatures } from "../connection/server-features.ts";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode } from "../jetstream-errors.ts";
import { fromKvKey } from "../documents/kv-key.ts";
import { readJson } from "../documents/read-json.ts";
import { NatsQueues } from "../store/queues.ts";
import { machineBacklogs } from "../store/machine-backlogs.ts";
import { readSubjects } from "../reads/read-subjects.ts";
import { serverNow } from "../reads/server-now.ts";
import { sizeLimits } from "../topology/size-limits.ts";
import { Names } from "../topology/subjects.ts";
import { fail, type Finding, ok, skip } from "./finding.ts";
import type { ConsumerSeen } from "./judge-consumer.ts";
import { judgeAway, judgeCopies, judgeSilence } from "./judge-copies.ts";
import { judgeBacklog, judgeNodes } from "./judge-fleet.ts";
import type { NodeSeen } from "./node-seen.ts";
import { lookAtHistory } from "./judge-history.ts";
import type { Leases } from "./judge-held.ts";
import { judgeMachines } from "./judge-machines.ts";
import { judgeMissing } from "./judge-missing.ts";
import { lookAtKept } from "./look-at-kept.ts";
import { judgeQueue } from "./judge-queue.ts";
import {
  judgeRoundTrip,
  judgeSkew,
  judgeStorage,
  judgeSync,
  judgeVersion,
} from "./judge-server.ts";
import { judgeSettlements } from "./judge-settlements.ts";
import { judgeSources } from "./judge-sources.ts";
import { judgeReach, lookAtControls } from "./queue-controls.ts";
import { judgeStores, type StoreSeen } from "./judge-store.ts";

/** Only the system account is answered; others would wait for nothing. */
const SYSTEM_PATIENCE_MS = 500;

/**
 * Looks at a server and at what a namespace has on it, and says what is wrong with it and what to
 * do. Changes nothing. A connection that fails is a finding, not an error.
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
  const { present, all, silent } = await streamsOf(jsm);
  const streams = all.filter(({ config }) => isOurs(config.name, names));
  const features = serverFeatures(nc.info?.version ?? "0.0.0");
  const queues: Finding[] = [];
  const stores: StoreSeen[] = [];
  const leases = new Map<string, number>();
  const paused = new Set<string>();
  for (const { config: stream } of streams) {
    if (!stream.name.startsWith(names.queueStreamPrefix)) {
      const consumers =
        stream.name === names.delayedStream ? await consumersOf(jsm, stream.name) : [];
      stores.push({ stream, consumers, clustered, schedules: features.schedules });
      continue;
    }
    const queue = stream.name.slice(names.queueStreamPrefix.length);
    const found = await consumersOf(jsm, stream.name);
    const lanes = found.filter(({ config }) => LANES.has(config.durable_name ?? ""));
    const waits = lanes.map(({ config }) => (config.ack_wait ?? 0) / 1e6);
    leases.set(queue, Math.max(0, ...waits));
    const strangers = found
      .filter((consumer) => !lanes.includes(consumer))
      .map(({ config }) => config.durable_name ?? config.name ?? "");
    const controls = await lookAtControls(jsm, names, queue);
    if (controls.paused !== undefined) paused.add(queue);
    queues.push(
      ...judgeQueue({ queue, stream, consumers: lanes, strangers, clustered }),
      ...judgeReach(queue, controls),
    );
  }
  if (queues.length === 0)
    queues.push(
      ok(
        "queues",
        `namespace ${names.namespace} has no queues yet: a node makes those of its jobs when it starts`,
      ),
    );
  const configs = all.map(({ config }) => config);
  return [
    ...server,
    storage,
    await clock(nc, jsm, streams),
    judgeSync(await syncOf(nc)),
    ...queues,
    ...(await fleet({ nc, jsm, names, leases, paused, present }, streams)),
    ...judgeSources(names, configs, !features.repeatingSchedules),
    ...judgeStores(names, stores),
    ...(await lookAtHistory(
      jsm,
      streams.find(({ config }) => config.name === names.historyStream),
    )),
    ...judgeAway(streams),
    ...streams.flatMap(judgeCopies),
    ...silent,
  ];
}

const NODES_BUCKET = "nodes";

interface Place {
  readonly nc: NatsConnection;
  readonly jsm: JetStreamManager;
  readonly names: Names;
  /** Of each queue that has a lane's consumer. */
  readonly leases: Leases;
  readonly paused: ReadonlySet<string>;
  /** The names of all streams, also of those that give no answer. */
  readonly present: ReadonlySet<string>;
}

/** What waits, and what the nodes say of themselves, if there are any. */
async function fleet(place: Place, streams: readonly StreamInfo[]): Promise<readonly Finding[]> {
  try {
    const backlogs = await backlogsOf(place, streams);
    const judged = backlogs.flatMap((one) => judgeBacklog(one, place.paused.has(one.queue)));
    return [...judged, ...(await nodesOf(place, streams, backlogs))];
  } catch (error) {
    const why = `what lies in the queues can't be counted: ${recordError(error).message}`;
    return [skip("backlog", why), ...(await nodesOf(place, streams, []))];
  }
}

async function backlogsOf(
  { nc, jsm, names }: Place,
  streams: readonly StreamInfo[],
): Promise<readonly QueueSnapshot[]> {
  const queues = new NatsQueues(
    { nc, retrying: nc, jsm, names, maxValues: DEFAULT_MAX_VALUES },
    {
      limits: sizeLimits(nc.info?.max_payload ?? 0),
      replicas: 1,
      features: () => serverFeatures(nc.info?.version ?? ""),
    },
  );
  const backlogs: QueueSnapshot[] = [];
  for (const { config } of streams) {
    if (!config.name.startsWith(names.queueStreamPrefix)) continue;
    backlogs.push(await queues.snapshot(config.name.slice(names.queueStreamPrefix.length)));
  }
  return backlogs;
}

async function nodesOf(
  place: Place,
  streams: readonly StreamInfo[],
  backlogs: readonly QueueSnapshot[],
): Promise<readonly Finding[]> {
  const { nc, jsm, names } = place;
  const bucket = names.bucket(NODES_BUCKET);
  const stream = `KV_${bucket}`;
  if (!streams.some(({ config }) => config.name === stream)) {
    // No node was ever there: nobody is missed before something waits.
    const waiting = backlogs.filter(({ queued: count }) => count > 0);
    return [...judgeNodes([], waiting), ...(await machinesOf(place, []))];
  }
  try {
    const prefix = `$KV.${bucket}.`;
    const reports = await readSubjects(nc, jsm, { stream });
    const now = await serverNow(jsm, stream);
    const nodes = [...reports.values()].flatMap(({ subject, data, storedAt }) => {
      const report = asJson(data);
      // A node that said goodbye leaves an empty entry.
      return report === undefined
        ? []
        : [
            {
              name: fromKvKey(subject.slice(prefix.length)),
              ...{ report, silentMs: now - storedAt, seenAt: storedAt },
            },
          ];
    });
    return [
      ...judgeNodes(nodes, backlogs, place.leases),
      ...judgeMissing(nodes, (queue) => place.present.has(names.queueStream(queue))),
      ...(await machinesOf(place, nodes)),
      ...judgeSettlements(nodes),
    ];
  } catch (error) {
    return [skip("settlements", `what nodes say can't be read: ${recordError(error).message}`)];
  }
}

/** What waits for machines, and what they keep; where it can't be read, nodes are told of. */
async function machinesOf(
  { nc, jsm, names }: Pick<Place, "nc" | "jsm" | "names">,
  nodes: readonly NodeSeen[],
): Promise<readonly Finding[]> {
  const kept = await lookAtKept(nc, jsm, names);
  try {
    return [...judgeMachines(nodes, await machineBacklogs(jsm, names)), ...kept];
  } catch (error) {
    const why = `what waits for machines can't be counted: ${recordError(error).message}`;
    return [skip("machines", why), ...kept];
  }
}

function asJson(data: Uint8Array): unknown {
  try {
    return readJson(data);
  } catch {
    // A node that said goodbye, or no node.
    return undefined;
  }
}

const LANES: ReadonlySet<string> = new Set(Object.values(LANE_CONSUMERS));

/** A namespace's streams, and those behind its buckets. */
function isOurs(stream: string, { namespace }: Names): boolean {
  return stream.startsWith(`${namespace}-`) || stream.startsWith(`KV_${namespace}-`);
}

/**
 * Asked for one by one: a list leaves out what has no leader (docs/decisions/cluster.md), which is
 * what a diagnosis is for. All at once, so that the silent ones cost one wait together.
 */
async function streamsOf(jsm: JetStreamManager): Promise<{
  readonly present: ReadonlySet<string>;
  readonly all: readonly StreamInfo[];
  readonly silent: readonly Finding[];
}> {
  const names: string[] = [];
  for await (const name of jsm.streams.names()) names.push(name);
  const all: StreamInfo[] = [];
  const silent: Finding[] = [];
  const describe = async (name: string): Promise<void> => {
    try {
      all.push(await jsm.streams.info(name));
    } catch (error) {
      if (apiCode(error) !== STREAM_NOT_FOUND) silent.push(judgeSilence(name, error));
    }
  };
  await Promise.all(names.toSorted().map(describe));
  return { present: new Set(names), all, silent };
}

async function consumersOf(
  jsm: JetStreamManager,
  stream: string,
): Promise<readonly ConsumerSeen[]> {
  const consumers: ConsumerSeen[] = [];
  for await (const { config, paused } of jsm.consumers.list(stream))
    consumers.push({ config, paused: paused === true });
  return consumers;
}

/**
 * A stream's description carries the server's time; the answer was made about half a round trip
 * ago.
 */
async function clock(
  nc: NatsConnection,
  jsm: JetStreamManager,
  streams: readonly StreamInfo[],
): Promise<Finding> {
  const name = streams[0]?.config.name;
  if (name === undefined)
    return skip("clock", "the server's clock shows only where there is a stream");
  const { clock: own } = machineOf(nc);
  const before = own.now();
  const { ts } = await jsm.streams.info(name);
  const after = own.now();
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
