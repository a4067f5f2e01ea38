import type { Attributes } from "@opentelemetry/api";
import { type Envelope, LANE_CONSUMERS, type ServerEndpoint, tickOriginOf } from "@millrace/core";

/**
 * Names of the OpenTelemetry semantic conventions 1.44 for messaging. They are still in development
 * there, so they are written down here instead of being imported from a module that changes without
 * notice.
 */
export const ATTR = {
  system: "messaging.system",
  operationName: "messaging.operation.name",
  operationType: "messaging.operation.type",
  clientId: "messaging.client.id",
  consumerGroup: "messaging.consumer.group.name",
  destination: "messaging.destination.name",
  messageId: "messaging.message.id",
  batchCount: "messaging.batch.message_count",
  serverAddress: "server.address",
  serverPort: "server.port",
  errorType: "error.type",
  functionName: "code.function.name",
  filePath: "code.file.path",
  jobId: "job.id",
  jobName: "job.name",
  jobQueue: "job.queue",
  attempt: "job.attempt",
  maxAttempts: "job.max_attempts",
  queueWaitMs: "job.queue_wait_ms",
  limitWaitMs: "job.limit_wait_ms",
  scheduledAt: "job.scheduled_at",
  outcome: "job.outcome",
  state: "job.state",
  schedule: "job.schedule",
  singletonToken: "job.singleton.token",
  lockName: "lock.name",
  lockWaitMs: "lock.wait_ms",
  lockToken: "lock.token",
  duplicate: "job.duplicate",
  node: "job.node",
  machineName: "machine.name",
  machineId: "machine.id",
  machineEvent: "machine.event",
  machineEventKind: "machine.event.kind",
  machineBefore: "machine.state.before",
  machineAfter: "machine.state.after",
  machineStatus: "machine.status",
  machineRevision: "machine.revision",
  machineOutcome: "machine.outcome",
  stepName: "job.step.name",
  stepNumber: "job.step.number",
  stepOutcome: "job.step.outcome",
  stepChild: "job.step.child",
} as const;

/** What an operation is called by people, and its kind in the conventions' words. */
const OPERATION_TYPES = {
  create: "create",
  publish: "send",
  process: "process",
  settle: "settle",
} as const;

/**
 * What a span has from its beginning, so that a sampler can judge by it. The destination is the
 * queue: the subject adds the namespace and the lane, and says no more.
 */
export function sampledAttributes(
  operation: keyof typeof OPERATION_TYPES,
  queue: string | undefined,
): Attributes {
  const attributes: Attributes = {
    [ATTR.system]: "nats",
    [ATTR.operationName]: operation,
    [ATTR.operationType]: OPERATION_TYPES[operation],
  };
  if (queue !== undefined) attributes[ATTR.destination] = queue;
  return attributes;
}

/** The same and the server, for spans that are not so many. */
export function operationAttributes(
  operation: keyof typeof OPERATION_TYPES,
  queue: string | undefined,
  endpoint: ServerEndpoint | undefined,
): Attributes {
  const attributes = sampledAttributes(operation, queue);
  if (endpoint !== undefined) {
    attributes[ATTR.serverAddress] = endpoint.address;
    attributes[ATTR.serverPort] = endpoint.port;
  }
  return attributes;
}

/** Adds who publishes, where it has a name. */
export function addClient(attributes: Attributes, client: string | undefined): Attributes {
  if (client !== undefined) attributes[ATTR.clientId] = client;
  return attributes;
}

/**
 * Who takes jobs, and in which group: all that take a queue's jobs of one lane share one durable
 * consumer, and its name is the group's.
 */
export function tellConsumer(
  { lane }: Envelope,
  node: string,
  tell: (key: string, value: string) => void,
): void {
  tell(ATTR.node, node);
  tell(ATTR.clientId, node);
  tell(ATTR.consumerGroup, LANE_CONSUMERS[lane ?? "normal"]);
}

/** What tells one job from another. Written to `attributes`. */
export function addJob(attributes: Attributes, envelope: Envelope): Attributes {
  tellJob(envelope, (key, value) => (attributes[key] = value));
  return attributes;
}

/** The same, one by one. */
export function tellJob(envelope: Envelope, tell: (key: string, value: string) => void): void {
  tell(ATTR.messageId, envelope.id);
  tell(ATTR.jobId, envelope.id);
  tell(ATTR.jobName, envelope.name);
  tell(ATTR.jobQueue, envelope.queue);
  if (envelope.notBefore !== undefined)
    tell(ATTR.scheduledAt, new Date(envelope.notBefore).toISOString());
  const schedule = scheduleOf(envelope);
  if (schedule !== undefined) tell(ATTR.schedule, schedule);
}

const CRON_TAG = "cron:";

/** The schedule that enqueued a job, also where somebody asked it to. */
function scheduleOf(envelope: Envelope): string | undefined {
  return (
    tickOriginOf(envelope)?.schedule ??
    envelope.tags?.find((tag) => tag.startsWith(CRON_TAG))?.slice(CRON_TAG.length)
  );
}
