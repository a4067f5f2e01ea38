import { MillraceError } from "@millrace/core";
import type { JetStreamManager, StreamConfig } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/nats-core";
import { absenceOn } from "../connection/absence.ts";
import { STREAM_NOT_FOUND } from "../error-codes.ts";
import { apiCode, asMillraceError } from "../jetstream-errors.ts";
import { machineOf } from "../machine/machine.ts";
import { quietSleep } from "../machine/timers.ts";
import type { StreamPlan } from "./streams.ts";
import { firstSequence } from "./first-sequence.ts";
import { takesSubject } from "./unlisted-subjects.ts";

/** A connection, and the manager that asks by it. */
export interface StreamMaker {
  readonly nc: NatsConnection;
  readonly jsm: JetStreamManager;
}

const NAME_IN_USE = 10058;
/**
 * Each round another node has to win a race for this one to try again. What a cluster is still
 * making is in use already, and not found yet.
 */
const ROUNDS = 5;
const NEXT_ROUND_MS = 100;

/**
 * Creates the stream, or updates what differs from the plan. Safe from any number of nodes at once:
 * whoever comes second finds what the first made. Checks what the server says it has, because an
 * old server takes a newer option and ignores it. A stream that was removed and is made anew never
 * gives a number a second time: see `firstSequence`.
 *
 * @throws MillraceError `jetstream-failed` where a stream of that name serves something else
 */
export function ensureStream(maker: StreamMaker, plan: StreamPlan): Promise<StreamConfig> {
  return absenceOn(maker.nc).making(plan.create.name, () => makeOrUpdate(maker, plan));
}

async function makeOrUpdate({ nc, jsm }: StreamMaker, plan: StreamPlan): Promise<StreamConfig> {
  try {
    return await throughRaces(nc, async () => {
      const existing = await findConfig(jsm, plan.create.name);
      const config =
        existing === undefined
          ? await create(jsm, plan, firstSequence(nc))
          : await update(jsm, plan, existing);
      verify(plan, config, existing);
      return config;
    });
  } catch (error) {
    throw asMillraceError(error, `create the stream ${plan.create.name}`);
  }
}

/**
 * Looks and makes anew where another node has made a stream, or removed it, between this one's look
 * and its act.
 */
export async function throughRaces<T>(nc: NatsConnection, make: () => Promise<T>): Promise<T> {
  for (let round = 1; ; round += 1) {
    try {
      return await make();
    } catch (error) {
      const code = apiCode(error);
      const raced = code === STREAM_NOT_FOUND || code === NAME_IN_USE;
      if (!raced || round === ROUNDS) throw error;
      await quietSleep(machineOf(nc).clock, NEXT_ROUND_MS);
    }
  }
}

async function findConfig(jsm: JetStreamManager, name: string): Promise<StreamConfig | undefined> {
  try {
    return (await jsm.streams.info(name)).config;
  } catch (error) {
    if (apiCode(error) === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}

async function create(
  jsm: JetStreamManager,
  plan: StreamPlan,
  first: number | undefined,
): Promise<StreamConfig> {
  const from = first === undefined ? {} : { first_seq: first };
  return (await jsm.streams.add({ ...plan.create, ...from })).config;
}

async function update(
  jsm: JetStreamManager,
  plan: StreamPlan,
  existing: StreamConfig,
): Promise<StreamConfig> {
  refuseForeign(plan, existing);
  const changes = plan.update(existing);
  if (!differs(changes, existing)) return existing;
  return (await jsm.streams.update(existing.name, { ...existing, ...changes })).config;
}

/**
 * Retention and subjects say what a stream is for. A stream that takes something else is never
 * changed: what waits in it would be lost.
 */
function refuseForeign({ create: wanted, own }: StreamPlan, existing: StreamConfig): void {
  const missing = (own ?? wanted.subjects).filter(
    (subject) => !takesSubject(existing.subjects, subject),
  );
  if (existing.retention === wanted.retention && missing.length === 0) return;
  const what =
    missing.length > 0
      ? `without the subject ${missing[0]}`
      : `with retention ${existing.retention} where ${wanted.retention} is needed`;
  throw new MillraceError(
    "jetstream-failed",
    `The stream ${wanted.name} exists ${what}: something else uses the name. Choose another namespace, or remove that stream.`,
  );
}

function verify(plan: StreamPlan, config: StreamConfig, existing: StreamConfig | undefined): void {
  const wanted: Partial<StreamConfig> =
    existing === undefined ? plan.create : plan.update(existing);
  const ignored = firstDifference(wanted, config, plan.optional);
  if (ignored === undefined) return;
  throw new MillraceError(
    "jetstream-failed",
    `The server took the configuration of the stream ${plan.create.name} and left out ${ignored}. A member of the cluster may be older than the one this node is connected to; upgrade them all.`,
  );
}

function differs(wanted: Partial<StreamConfig>, have: StreamConfig): boolean {
  return firstDifference(wanted, have) !== undefined;
}

function firstDifference(
  wanted: Partial<StreamConfig>,
  have: StreamConfig,
  spared: readonly (keyof StreamConfig)[] = [],
): string | undefined {
  const entries = Object.entries(wanted) as [keyof StreamConfig, unknown][];
  return entries.find(
    ([field, value]) =>
      JSON.stringify(have[field] ?? absent(value)) !== JSON.stringify(value) &&
      !spared.includes(field),
  )?.[0];
}

/** The server leaves out fields that hold their zero value. */
function absent(value: unknown): unknown {
  return value === false || value === 0 || value === "" ? value : undefined;
}
