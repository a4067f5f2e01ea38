import { DiscardPolicy, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { nanos } from "@nats-io/nats-core";
import type { BatchDoor } from "./stream-doors.ts";
import type { StreamPlan } from "./streams.ts";
import type { Names } from "./subjects.ts";

export interface HistoryLimits {
  readonly maxAgeMs: number;
  readonly maxRecords: number;
}

/** Set when the stream is created; afterwards the operator's own limits stand. */
export function historyStream(
  names: Names,
  limits: HistoryLimits,
  replicas: number,
  batches: BatchDoor,
): StreamPlan {
  return {
    create: {
      name: names.historyStream,
      description: "Millrace execution history",
      subjects: [names.historyAll],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.Old,
      max_age: nanos(limits.maxAgeMs),
      max_msgs: limits.maxRecords,
      // Records carry no message id; a window would only cost memory.
      duplicate_window: nanos(100),
      num_replicas: replicas,
      ...batches.create,
    },
    update: () => batches.update,
    optional: ["allow_batched"],
  };
}
