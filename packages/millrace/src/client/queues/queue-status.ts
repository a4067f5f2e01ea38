import {
  type Broker,
  type ControlMark,
  CONTROLS_BUCKET,
  defined,
  type QueueControls,
  type QueueSnapshot,
  readControls,
} from "@millrace/core";

/** What is in a queue, and what operators did to it. */
export interface QueueStatus extends QueueSnapshot {
  /** Since when nothing is pulled, and why; absent where it runs. */
  readonly paused?: ControlMark;
  /** Since when producers are refused, and why. `intake` says whether they are. */
  readonly closed?: ControlMark;
  /**
   * Other queues that jobs of its producers may be followed by jobs in; absent where an operator
   * set none.
   */
  readonly sendsTo?: readonly string[];
  /**
   * Jobs of its producers that may wait for a later start, and as many at gates; absent where an
   * operator set none.
   */
  readonly maxParked?: number;
}

export async function controlsOf(broker: Broker, queue: string): Promise<QueueControls> {
  const document = await (await broker.documents(CONTROLS_BUCKET, { look: true })).get(queue);
  return readControls(document?.value).controls;
}

export async function queueStatus(broker: Broker, queue: string): Promise<QueueStatus> {
  const [snapshot, controls] = await Promise.all([
    broker.queues.snapshot(queue),
    controlsOf(broker, queue),
  ]);
  return withMarks(snapshot, controls);
}

export async function listQueues(broker: Broker): Promise<readonly QueueStatus[]> {
  const [snapshots, documents] = await Promise.all([
    broker.queues.list(),
    broker.documents(CONTROLS_BUCKET, { look: true }).then((store) => store.list()),
  ]);
  const controls = new Map(documents.map(({ key, value }) => [key, readControls(value).controls]));
  return snapshots.map((snapshot) => withMarks(snapshot, controls.get(snapshot.queue) ?? {}));
}

function withMarks(
  snapshot: QueueSnapshot,
  { paused, closed, sendsTo, maxParked }: QueueControls,
): QueueStatus {
  return {
    ...snapshot,
    ...defined({ paused, closed, sendsTo, maxParked }),
  };
}
