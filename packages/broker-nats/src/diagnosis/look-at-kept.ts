import { type MachineDocument, MACHINES_BUCKET, readMachine, recordError } from "@millrace/core";
import type { JetStreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { readJson } from "../documents/read-json.ts";
import { lastMessage } from "../reads/next-message.ts";
import { readStream } from "../reads/read-stream.ts";
import { firstSince } from "../reads/stream-tail.ts";
import type { Names } from "../topology/subjects.ts";
import { type Finding, skip } from "./finding.ts";
import { judgeKept } from "./judge-kept.ts";

/** What failed is tried again at least once an hour, and its machine is stored anew each time. */
const WITHIN_MS = 2 * 3_600_000;
/** A diagnosis does not read a fleet's machines all through. */
const MOST = 10_000;
const MOST_BYTES = 64 * 2 ** 20;

/** Which machines keep what their chart could not take, among those that changed lately. */
export async function lookAtKept(
  nc: NatsConnection,
  jsm: JetStreamManager,
  names: Names,
): Promise<readonly Finding[]> {
  try {
    return judgeKept(await machinesLately(nc, jsm, names));
  } catch (error) {
    return [skip("machines", `machines can't be read: ${recordError(error).message}`)];
  }
}

async function machinesLately(
  nc: NatsConnection,
  jsm: JetStreamManager,
  names: Names,
): Promise<readonly MachineDocument[]> {
  const stream = `KV_${names.bucket(MACHINES_BUCKET)}`;
  const last = await lastMessage(jsm, stream);
  if (last === undefined) return [];
  const from = await firstSince(
    jsm,
    { stream, doing: "look for machines that changed lately" },
    {
      ...{ since: last.time.getTime() - WITHIN_MS },
      ...{ low: Math.max(1, last.seq - MOST + 1), high: last.seq },
    },
  );
  const newest = new Map<string, MachineDocument | undefined>();
  const range = { stream, from, until: last.seq, bytes: MOST_BYTES };
  for await (const { subject, data } of readStream(nc, jsm, range))
    newest.set(subject, documentIn(data));
  return [...newest.values()].filter((one) => one !== undefined);
}

/** @returns undefined for one that was forgotten, and for what is no machine */
function documentIn(data: Uint8Array): MachineDocument | undefined {
  try {
    const machine = readMachine(readJson(data));
    return machine?.timers === undefined ? undefined : machine;
  } catch {
    return undefined;
  }
}
