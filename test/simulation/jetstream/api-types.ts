/** A stream's configuration as it is sent and shown. Durations in nanoseconds. */
export interface StreamSettings {
  readonly name: string;
  readonly description?: string;
  readonly subjects: readonly string[];
  readonly retention: "limits" | "workqueue" | "interest";
  readonly max_consumers: number;
  readonly max_msgs: number;
  readonly max_bytes: number;
  readonly max_age: number;
  readonly max_msgs_per_subject: number;
  readonly max_msg_size: number;
  readonly discard: "old" | "new";
  readonly discard_new_per_subject?: boolean;
  readonly storage: string;
  readonly num_replicas: number;
  /** Of the first message. */
  readonly first_seq?: number;
  readonly duplicate_window: number;
  readonly compression: string;
  readonly allow_direct: boolean;
  readonly mirror_direct: boolean;
  readonly sealed: boolean;
  readonly deny_delete: boolean;
  readonly deny_purge: boolean;
  readonly allow_rollup_hdrs: boolean;
  readonly consumer_limits: object;
  readonly allow_msg_ttl?: boolean;
  readonly allow_msg_schedules?: boolean;
  readonly allow_atomic?: boolean;
  readonly allow_batched?: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface ConsumerSettings {
  readonly durable_name?: string;
  readonly name?: string;
  readonly deliver_policy: "all" | "by_start_sequence";
  readonly opt_start_seq?: number;
  readonly deliver_subject?: string;
  readonly ack_policy: "explicit" | "none";
  readonly ack_wait?: number;
  readonly max_deliver: number;
  readonly filter_subject?: string;
  readonly filter_subjects?: readonly string[];
  readonly replay_policy: string;
  readonly max_waiting?: number;
  readonly max_ack_pending?: number;
  readonly idle_heartbeat?: number;
  readonly inactive_threshold?: number;
  readonly flow_control?: boolean;
  readonly mem_storage?: boolean;
  readonly num_replicas: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface ApiError {
  readonly code: number;
  readonly err_code: number;
  readonly description: string;
}

export class Refusal extends Error {
  readonly error: ApiError;

  constructor(code: number, errCode: number, description: string) {
    super(description);
    this.error = { code, err_code: errCode, description };
  }
}

export const refusals = {
  noStream: () => new Refusal(404, 10059, "stream not found"),
  noConsumer: () => new Refusal(404, 10014, "consumer not found"),
  noMessage: () => new Refusal(404, 10037, "no message found"),
  nameInUse: () =>
    new Refusal(400, 10058, "stream name already in use with a different configuration"),
  overlap: () => new Refusal(400, 10065, "subjects overlap with an existing stream"),
  consumerExists: () => new Refusal(400, 10148, "consumer already exists"),
  notUnique: () => new Refusal(400, 10100, "filtered consumer not unique on workqueue stream"),
  notDeleted: (why: string) => new Refusal(500, 10057, why),
  noSequence: (seq: number) => new Refusal(400, 10043, `sequence ${seq} not found`),
  noBatches: () => new Refusal(400, 10174, "atomic publish is disabled"),
  noFastBatches: () => new Refusal(400, 10205, "batch publish is disabled"),
  unknownBatch: () => new Refusal(400, 10208, "batch publish ID unknown"),
  incompleteBatch: () => new Refusal(400, 10176, "atomic publish batch is incomplete"),
  knownInBatch: () => new Refusal(400, 10201, "atomic publish batch contains duplicate message id"),
  wrongLast: (last: number) => new Refusal(400, 10071, `wrong last sequence: ${last}`),
  tooLarge: () => new Refusal(400, 10054, "message size exceeds maximum allowed"),
  storeFailed: (why: string) => new Refusal(503, 10077, why),
  insufficient: () => new Refusal(503, 10023, "insufficient resources"),
  schedulesOff: () => new Refusal(400, 10188, "message schedules is disabled"),
  badSchedule: () => new Refusal(400, 10189, "message schedules pattern is invalid"),
  badTarget: () => new Refusal(400, 10190, "message schedules target is invalid"),
} as const;
