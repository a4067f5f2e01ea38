import { isDeepStrictEqual } from "node:util";
import type { ConsumerSettings, StreamSettings } from "./api-types.ts";
import type { Flavour } from "./flavour.ts";

const TWO_MINUTES_NS = 120e9;
const THIRTY_SECONDS_NS = 30e9;

type Wanted<T> = { readonly [Field in keyof T]?: T[Field] | null };

/** A stream's settings as the server completes them: what it doesn't know it leaves out. */
export function streamSettings(
  body: Wanted<StreamSettings>,
  { showsLevels, schedules, atomicBatches, fastBatches }: Flavour,
  name: string,
): StreamSettings {
  const scheduled = schedules && body.allow_msg_schedules === true;
  return {
    name,
    ...(body.description ? { description: body.description } : {}),
    subjects: body.subjects ?? [name],
    retention: body.retention ?? "limits",
    max_consumers: limit(body.max_consumers),
    max_msgs: limit(body.max_msgs),
    max_bytes: limit(body.max_bytes),
    max_age: body.max_age ?? 0,
    max_msgs_per_subject: limit(body.max_msgs_per_subject),
    max_msg_size: limit(body.max_msg_size),
    discard: body.discard ?? "old",
    ...(body.discard_new_per_subject === true ? { discard_new_per_subject: true } : {}),
    storage: body.storage ?? "file",
    num_replicas: body.num_replicas ?? 1,
    duplicate_window: body.duplicate_window || TWO_MINUTES_NS,
    ...(body.first_seq ? { first_seq: body.first_seq } : {}),
    compression: body.compression ?? "none",
    allow_direct: body.allow_direct ?? false,
    mirror_direct: false,
    sealed: false,
    deny_delete: false,
    deny_purge: false,
    // Schedules replace each other by rollups.
    allow_rollup_hdrs: scheduled || (body.allow_rollup_hdrs ?? false),
    consumer_limits: {},
    ...(showsLevels ? { allow_msg_ttl: body.allow_msg_ttl ?? false } : {}),
    ...(scheduled ? { allow_msg_schedules: true } : {}),
    ...(atomicBatches && body.allow_atomic === true ? { allow_atomic: true } : {}),
    ...(fastBatches && body.allow_batched === true ? { allow_batched: true } : {}),
  };
}

export function consumerSettings(
  body: Wanted<ConsumerSettings>,
  { showsLevels }: Flavour,
  name: string,
): ConsumerSettings {
  const given = Object.fromEntries(
    Object.entries(body).filter(
      ([field, value]) => KNOWN.has(field) && value !== undefined && value !== null,
    ),
  ) as Partial<ConsumerSettings>;
  const isExplicit = body.ack_policy === "explicit";
  return {
    ...given,
    ...(showsLevels || body.durable_name === undefined ? { name } : {}),
    deliver_policy: body.deliver_policy ?? "all",
    ack_policy: body.ack_policy ?? "none",
    ...(isExplicit ? { ack_wait: body.ack_wait ?? THIRTY_SECONDS_NS } : {}),
    max_deliver: limit(body.max_deliver),
    replay_policy: body.replay_policy ?? "instant",
    num_replicas: body.num_replicas ?? 0,
  };
}

const KNOWN: ReadonlySet<string> = new Set([
  "durable_name",
  "name",
  "deliver_policy",
  "opt_start_seq",
  "deliver_subject",
  "ack_policy",
  "ack_wait",
  "max_deliver",
  "filter_subject",
  "filter_subjects",
  "replay_policy",
  "max_waiting",
  "max_ack_pending",
  "idle_heartbeat",
  "inactive_threshold",
  "flow_control",
  "mem_storage",
  "num_replicas",
]);

export function sameSettings(one: object, other: object): boolean {
  return isDeepStrictEqual(one, other);
}

/** The server takes zero for no limit. */
function limit(value: number | null | undefined): number {
  return value === undefined || value === null || value === 0 ? -1 : value;
}
