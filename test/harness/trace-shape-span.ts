import type { RecordedSpan, SpanKindName } from "./recorded-span.ts";

/** The runtime's own spans, told by the tracer that made them. */
export function isOurs(span: RecordedSpan): boolean {
  return span.scope.startsWith("millrace") || span.scope.startsWith("@millrace/");
}

type Role = "publish" | "create" | "process" | "settle";

/**
 * `messaging.operation.type` by `messaging.operation.name`, which is also the first word of the
 * span's name.
 */
const OPERATION_TYPES: Readonly<Record<Role, string>> = {
  publish: "send",
  create: "create",
  process: "process",
  settle: "settle",
};

const ALWAYS = ["messaging.system", "messaging.operation.name", "messaging.operation.type"];
const DESTINATION = "messaging.destination.name";

const OF_A_JOB = ["messaging.message.id", "job.id", "job.name", "job.queue"];
const OF_AN_ATTEMPT = [
  ...["job.attempt", "job.max_attempts", "job.queue_wait_ms", "job.outcome", "job.node"],
  ...["messaging.client.id", "messaging.consumer.group.name"],
];

/**
 * An attempt that ended like this did what it was told to: nobody shall be called out of bed for
 * it.
 */
const NO_ERROR = ["succeeded", "snoozed", "interrupted", "cancelled", "abandoned"];
const AN_ERROR = ["failed", "timed-out", "rejected", "crashed", "expired", "lease-lost"];

/** What one span can be seen to have wrong by itself. */
export function spanFaults(span: RecordedSpan): string[] {
  const faults: string[] = [];
  const say = (fault: string): void => void faults.push(`${span.name}: ${fault}`);
  if (!/^[0-9a-f]{32}$/.test(span.traceId)) say(`trace id "${span.traceId}"`);
  if (!/^[0-9a-f]{16}$/.test(span.spanId)) say(`span id "${span.spanId}"`);
  if (span.endedAtMs < span.startedAtMs) say("ended before it began");
  const service = span.resource["service.name"];
  if (typeof service !== "string" || service.startsWith("unknown_service"))
    say(`service.name is ${JSON.stringify(service)}`);
  if (span.resource["host.name"] === undefined) say("no host.name, Jaeger warns of clock skew");
  if (!isOurs(span)) return faults;
  if (span.status === "ERROR") failureFaults(span, say);
  else if (span.attributes["error.type"] !== undefined) say("error.type without status ERROR");

  if (isQueued(span)) return [...faults, ...queuedFaults(span)];
  if (isStep(span)) return [...faults, ...stepFaults(span)];
  if (isTransition(span)) return [...faults, ...transitionFaults(span)];
  const role = roleOf(span);
  if (role === undefined) {
    say("is no publish, create, process or settle: housekeeping needs no span");
    return faults;
  }
  // Jobs of several queues may be published together: that span is a plain `publish`.
  const mixed = isBulk(span) && span.name === "publish";
  const lacking = [
    ...ALWAYS,
    ...(mixed ? [] : [DESTINATION]),
    ...(isBulk(span) ? [] : OF_A_JOB),
    ...(role === "process" ? OF_AN_ATTEMPT : []),
  ].filter((name) => span.attributes[name] === undefined);
  if (lacking.length > 0) say(`lacks ${lacking.join(", ")}`);
  wordFaults(span, role, say);
  if (role === "process" || role === "settle") outcomeFaults(span, say);
  if (role === "process") numberFaults(span, say);
  return faults;
}

/** The time that an attempt, or an end without one, waited. */
export function isQueued(span: RecordedSpan): boolean {
  return span.name.startsWith("queued ");
}

const OF_A_WAIT = "job.id job.name job.queue job.attempt job.queue_wait_ms job.node".split(" ");
/** A span's times are written in nanoseconds, what waited is counted in milliseconds. */
const ROUNDING_MS = 2;

function queuedFaults(span: RecordedSpan): string[] {
  const { attributes, kind, endedAtMs, startedAtMs } = span;
  const faults: string[] = [];
  const say = (fault: string): void => void faults.push(`${span.name}: ${fault}`);
  const lacking = OF_A_WAIT.filter((name) => attributes[name] === undefined);
  if (lacking.length > 0) say(`lacks ${lacking.join(", ")}`);
  if (kind !== "INTERNAL") say(`kind ${kind}, not INTERNAL`);
  if (span.parentSpanId === undefined) say("hangs under nothing");
  const waitedMs = Number(attributes["job.queue_wait_ms"]);
  if (Math.abs(endedAtMs - startedAtMs - waitedMs) > ROUNDING_MS)
    say(`lasts ${endedAtMs - startedAtMs} ms and says ${waitedMs}`);
  const name = `queued ${String(attributes["job.name"])}${numberOf(attributes["job.attempt"])}`;
  if (span.name !== name) say(`would be called ${name}`);
  return faults;
}

/** Of a job's step: one that was run, or a wait that ended. */
function isStep(span: RecordedSpan): boolean {
  return span.attributes["job.step.name"] !== undefined;
}

const OF_A_STEP = ["job.id", "job.name", "job.queue", "job.step.number", "job.step.outcome"];
const STEP_OUTCOMES: Readonly<Record<string, readonly string[]>> = {
  run: ["recorded", "failed", "stopped"],
  wait: ["signalled", "timed-out"],
  call: ["called", "timed-out"],
};

function stepFaults({ name, kind, status, attributes }: RecordedSpan): string[] {
  const faults: string[] = [];
  const say = (fault: string): void => void faults.push(`${name}: ${fault}`);
  const lacking = OF_A_STEP.filter((attribute) => attributes[attribute] === undefined);
  if (lacking.length > 0) say(`lacks ${lacking.join(", ")}`);
  if (kind !== "INTERNAL") say(`kind ${kind}, not INTERNAL`);
  const [word = ""] = name.split(" ");
  if (name !== `${word} ${String(attributes["job.step.name"])}`) say("is not called by its step");
  const outcome = String(attributes["job.step.outcome"]);
  if (STEP_OUTCOMES[word]?.includes(outcome) !== true) say(`a ${word} that ended as ${outcome}`);
  if ((outcome === "failed") !== (status === "ERROR")) say(`${outcome} and ${status}`);
  if (name.includes(String(attributes["job.id"]))) say("the job's id is in its name");
  return faults;
}

/** Of what an event made of a machine. */
function isTransition(span: RecordedSpan): boolean {
  return span.attributes["machine.name"] !== undefined;
}

const OF_A_TRANSITION = [
  ...["machine.id", "machine.event", "machine.event.kind", "machine.state.after"],
  ...["machine.status", "machine.revision", "machine.outcome", "job.node"],
];
const EVENT_KINDS = ["start", "stop", "event", "end", "timer"];

function transitionFaults({ name, kind, status, attributes }: RecordedSpan): string[] {
  const faults: string[] = [];
  const say = (fault: string): void => void faults.push(`${name}: ${fault}`);
  const lacking = OF_A_TRANSITION.filter((attribute) => attributes[attribute] === undefined);
  if (lacking.length > 0) say(`lacks ${lacking.join(", ")}`);
  if (kind !== "INTERNAL") say(`kind ${kind}, not INTERNAL`);
  if (name !== `transition ${String(attributes["machine.name"])}`)
    say("is not called by its machine");
  const eventKind = String(attributes["machine.event.kind"]);
  if (!EVENT_KINDS.includes(eventKind)) say(`an event of the kind ${eventKind}`);
  const outcome = String(attributes["machine.outcome"]);
  if (outcome !== "taken" && outcome !== "failed") say(`ended as ${outcome}`);
  if ((outcome === "failed") !== (status === "ERROR")) say(`${outcome} and ${status}`);
  return faults;
}

export function roleOf(span: RecordedSpan): Role | undefined {
  const word = span.name.split(" ")[0] ?? "";
  return Object.hasOwn(OPERATION_TYPES, word) ? (word as Role) : undefined;
}

/** Of a `publish` that covers many jobs; each of them then has its own `create`. */
export function isBulk(span: RecordedSpan): boolean {
  return span.attributes["messaging.batch.message_count"] !== undefined;
}

function failureFaults(span: RecordedSpan, say: (fault: string) => void): void {
  const type = span.attributes["error.type"];
  if (type === undefined) say("status ERROR without error.type");
  else if (typeof type !== "string" || !/^[\w.:-]{1,100}$/.test(type))
    say(`error.type ${JSON.stringify(type)} is no name`);
  if (span.statusMessage === undefined || span.statusMessage === "")
    say("status ERROR without a description");
  if (!span.events.some(({ name }) => name === "exception"))
    say("status ERROR without an exception event");
}

function wordFaults(span: RecordedSpan, role: Role, say: (fault: string) => void): void {
  const { attributes } = span;
  const is = (name: string, wanted: string): void => {
    const value = attributes[name];
    if (value !== undefined && value !== wanted)
      say(`${name} is ${JSON.stringify(value)}, not ${JSON.stringify(wanted)}`);
  };
  const kinds: Record<Role, SpanKindName> = {
    // A bulk without `create` spans is what its jobs hang under: their producer.
    publish: isBulk(span) && span.links.length > 0 ? "CLIENT" : "PRODUCER",
    create: "PRODUCER",
    process: "CONSUMER",
    settle: "CLIENT",
  };
  if (span.kind !== kinds[role]) say(`kind ${span.kind}, not ${kinds[role]}`);
  is("messaging.system", "nats");
  is("messaging.operation.name", role);
  is("messaging.operation.type", OPERATION_TYPES[role]);

  const id = attributes["job.id"] ?? attributes["messaging.message.id"];
  const destination = String(attributes[DESTINATION]);
  if (typeof id === "string" && `${span.name} ${destination}`.includes(id))
    say("the job's id is in its name or destination: one of each a job");
  if (role !== "publish" && isBulk(span)) say("counts messages and is one");
}

function outcomeFaults(span: RecordedSpan, say: (fault: string) => void): void {
  const outcome = String(span.attributes["job.outcome"]);
  if (AN_ERROR.includes(outcome) && span.status !== "ERROR") say(`${outcome} and not red`);
  if (NO_ERROR.includes(outcome) && span.status === "ERROR") say(`${outcome} and red`);
}

function numberFaults(span: RecordedSpan, say: (fault: string) => void): void {
  const attempt = Number(span.attributes["job.attempt"]);
  const most = Number(span.attributes["job.max_attempts"]);
  const name = `process ${String(span.attributes["job.name"])}${numberOf(attempt)}`;
  if (span.name !== name) say(`is attempt ${attempt}, and would be called ${name}`);
  if (attempt < 1 || attempt > most) say(`attempt ${attempt} of ${most}`);
}

function numberOf(attempt: unknown): string {
  const number = Number(attempt);
  return number > 1 ? ` (attempt ${number < 10 ? number : "10+"})` : "";
}
