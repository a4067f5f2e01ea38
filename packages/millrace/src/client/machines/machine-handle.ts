import {
  type AnyStateMachine,
  type Broker,
  type Clock,
  type Document,
  type Duration,
  formatMs,
  type InboxBody,
  type Instrumentation,
  type MachineDefinition,
  type MachineEventOf,
  type MachineInputOf,
  machineKey,
  type MachineRef,
  type MachineSnapshot,
  machineSnapshot,
  MACHINES_BUCKET,
  MAX_EVENT_BYTES,
  MillraceError,
  notSendable,
  optionNames,
  findReadable,
  readMachine,
  refuseUnknown,
  requireFewValues,
  requireId,
  requireMachineId,
  requireMachineName,
  type Stoppable,
  toMs,
  requireFunction,
} from "@millrace/core";
import { callListener } from "../call-listener.ts";
import type { ClientCalls } from "../client-calls.ts";
import { HOPELESS } from "../jobs/hopeless.ts";
import { waitWithin } from "../wait-within.ts";
import { type CallLimits, callLimits, LIMITS } from "../call-limits.ts";

/** What may be said of an event beside itself. */
export interface SendOptions extends CallLimits {
  /**
   * What is sent twice under one id is one event, for as long as it is among the machine's last 32.
   * Default: an id of its own.
   */
  readonly id?: string;
}

/** How long a machine is waited for. */
export interface WaitForOptions {
  /** How long. Default: for as long as it takes. */
  readonly timeout?: Duration;
  /** Ends the waiting: it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** One durable machine, from outside. Made by `millrace.machine()`. */
export interface MachineHandle<Chart extends AnyStateMachine = AnyStateMachine> {
  readonly machine: string;
  readonly id: string;
  /**
   * Starts it, unless it was started before; then nothing happens. Has returned when the start is
   * stored: a node that hosts the machine takes it, now or later.
   *
   * @throws MillraceError `unserializable-payload`, `payload-too-large`, `queue-full`,
   *   `publish-timeout` …
   */
  start(input?: MachineInputOf<Chart>, limits?: CallLimits): Promise<void>;
  /**
   * Sends it an event. Has returned when the event is stored. An event that the chart does not take
   * in its state does nothing, as always in XState. So does an event for a machine that nobody has
   * started.
   *
   * @throws MillraceError `invalid-message`; as `start`
   */
  send(event: MachineEventOf<Chart>, options?: SendOptions): Promise<void>;
  /** Ends it as it stands: no event, timer or job's end is taken any more. */
  stop(limits?: CallLimits): Promise<void>;
  /** @throws MillraceError `machine-not-found` */
  snapshot(limits?: CallLimits): Promise<MachineSnapshot<Chart>>;
  /**
   * Waits until it stands as is asked for, also where it is not started yet, and over outages.
   *
   * @throws MillraceError `result-timeout`; `machine-ended` where it has come to an end, and not to
   *   this one; `connection-closed`; the signal's reason
   */
  waitFor(
    isReached: (snapshot: MachineSnapshot<Chart>) => boolean,
    options?: WaitForOptions,
  ): Promise<MachineSnapshot<Chart>>;
  /**
   * Tells how it stands now, if it was started, and each time that it is stored anew from then on;
   * of changes in quick succession perhaps only the last. Over outages. Has returned when it
   * listens.
   *
   * @param listener what it throws is a warning of the process, and it is told the next all the
   *   same
   * @param options.signal ends this, too
   * @returns what ends this
   */
  subscribe(
    listener: (snapshot: MachineSnapshot<Chart>) => void,
    options?: Pick<CallLimits, "signal">,
  ): Promise<{ stop(): Promise<void> }>;
}

export interface MachineHandleHost {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly calls: Pick<ClientCalls, "ask" | "open" | "publish" | "wait">;
  readonly instrumentation: Instrumentation | undefined;
}

/** An outage is looked through this often. */
const LOOK_AGAIN_MS = 1_000;

const SEND_NAMES = optionNames<SendOptions>({ id: true, ...LIMITS });
const WAIT_NAMES = optionNames<WaitForOptions>(LIMITS);
const SUBSCRIBE_NAMES = optionNames<Pick<CallLimits, "signal">>({ signal: true });

/** @throws MillraceError `invalid-name` */
export function machineHandle<Chart extends AnyStateMachine>(
  host: MachineHandleHost,
  of: MachineDefinition<Chart> | string,
  id: string,
): MachineHandle<Chart> {
  const machine = requireMachineName(
    typeof of === "string" ? of : (of as { readonly name: string } | null | undefined)?.name,
  );
  const ref = { machine, id: requireMachineId(id) };
  const { calls, newId, instrumentation } = host;
  const send = (doing: string, body: InboxBody, own: CallLimits): Promise<void> => {
    const headers = instrumentation?.sending?.(ref);
    const sent = headers === undefined ? body : { ...body, headers };
    return calls.publish(doing, (via) => via.inbox.send(ref, sent), own);
  };
  return {
    ...ref,
    start: async (input, own = {}) => {
      const data = input === undefined ? new Uint8Array() : encode(input, "input");
      await send("start()", { kind: "start", data }, callLimits(own, "start()"));
    },
    send: async (event, options = {}) => {
      refuseUnknown(options, SEND_NAMES, "send()");
      const data = encode(requireEvent(event), "event");
      const eventId = options.id === undefined ? newId() : requireId(options.id, "An event's id");
      await send("send()", { kind: "event", data, eventId }, options);
    },
    stop: async (own = {}) =>
      send("stop()", { kind: "stop", data: new Uint8Array() }, callLimits(own, "stop()")),
    snapshot: async (own = {}) =>
      calls.ask(
        "snapshot()",
        async () => {
          const found = await read<Chart>(host.broker, ref);
          if (found !== undefined) return found;
          throw new MillraceError(
            "machine-not-found",
            `No machine ${machine} ${id} has been started. If its start was sent, does a node host ${machine}?`,
          );
        },
        callLimits(own, "snapshot()"),
      ),
    waitFor: async (isReached, options = {}) =>
      waitFor(host, ref, requireFunction(isReached, "isReached"), calls.wait(options)),
    subscribe: async (listener, options = {}) => {
      requireFunction(listener, "listener");
      refuseUnknown(options, SUBSCRIBE_NAMES, "subscribe()");
      const open = () => follow(host.broker, ref, listener);
      return calls.open("subscribe()", open, options.signal);
    },
  };
}

async function read<Chart extends AnyStateMachine>(
  broker: Broker,
  ref: MachineRef,
): Promise<MachineSnapshot<Chart> | undefined> {
  const documents = await broker.documents(MACHINES_BUCKET, { look: true });
  const { document } = await findReadable(documents, ref);
  return document && machineSnapshot<Chart>(document);
}

/** Watches first, and looks then: nothing is missed. What was told is not told again. */
async function follow<Chart extends AnyStateMachine>(
  broker: Broker,
  ref: MachineRef,
  listener: (snapshot: MachineSnapshot<Chart>) => void,
): Promise<{ stop(): Promise<void> }> {
  const documents = await broker.documents(MACHINES_BUCKET);
  const key = machineKey(ref);
  let told = 0;
  const tell = (found: Document | undefined): void => {
    const document = readMachine(found?.value);
    if (found === undefined || document === undefined || found.revision <= told) return;
    told = found.revision;
    callListener(listener, machineSnapshot<Chart>(document));
  };
  const watch = await documents.watch(({ document }) => tell(document), key);
  try {
    tell(await documents.get(key));
  } catch (error) {
    await watch.stop();
    throw error;
  }
  return watch;
}

async function waitFor<Chart extends AnyStateMachine>(
  { broker, clock }: MachineHandleHost,
  ref: MachineRef,
  isReached: (snapshot: MachineSnapshot<Chart>) => boolean,
  options: WaitForOptions,
): Promise<MachineSnapshot<Chart>> {
  refuseUnknown(options, WAIT_NAMES, "waitFor()");
  const { signal } = options;
  const ms = options.timeout === undefined ? undefined : toMs(options.timeout, "timeout");
  const time = ms === undefined ? undefined : { ms, tooLate: () => tooLate(ref, ms) };
  return waitWithin({ clock, signal, time }, (over) =>
    reach({ broker, clock }, ref, isReached, over),
  );
}

function tooLate({ machine, id }: MachineRef, ms: number): MillraceError {
  const what = `The machine ${machine} ${id} has not come to what was waited for in ${formatMs(ms)}.`;
  return new MillraceError("result-timeout", `${what} It goes on.`);
}

/** @param over nobody waits for it any more */
async function reach<Chart extends AnyStateMachine>(
  { broker, clock }: Pick<MachineHandleHost, "broker" | "clock">,
  ref: MachineRef,
  isReached: (snapshot: MachineSnapshot<Chart>) => boolean,
  over: AbortSignal,
): Promise<MachineSnapshot<Chart>> {
  const { machine, id } = ref;
  const reached = Promise.withResolvers<MachineSnapshot<Chart>>();
  const look = (snapshot: MachineSnapshot<Chart>): void => {
    try {
      if (isReached(snapshot)) return reached.resolve(snapshot);
      if (snapshot.status !== "active")
        reached.reject(
          new MillraceError(
            "machine-ended",
            `The machine ${machine} ${id} is ${snapshot.status} in ${JSON.stringify(snapshot.value)}, and does not come to what was waited for.`,
          ),
        );
    } catch (error) {
      reached.reject(error);
    }
  };
  const abort = (): void => reached.reject(over.reason as Error);
  over.addEventListener("abort", abort, { once: true });
  const unlisten = broker.onStatus((status) => {
    if (status !== "closed") return;
    const what = `The connection was closed while the machine ${machine} ${id} was waited for.`;
    reached.reject(new MillraceError("connection-closed", what));
  });
  let isOver = false;
  const following = followThrough({ broker, clock }, ref, look, () => isOver).catch(
    (error: unknown) => void reached.reject(error),
  );
  try {
    return await reached.promise;
  } finally {
    isOver = true;
    over.removeEventListener("abort", abort);
    unlisten();
    // Not waited for: in an outage it may take long, and what it opens then it lets go of.
    following.then((watch) => watch?.stop()).catch(() => {});
  }
}

/** As `follow`; an outage only delays it. */
async function followThrough<Chart extends AnyStateMachine>(
  { broker, clock }: Pick<MachineHandleHost, "broker" | "clock">,
  ref: MachineRef,
  listener: (snapshot: MachineSnapshot<Chart>) => void,
  isOver: () => boolean,
): Promise<Stoppable | undefined> {
  while (!isOver()) {
    try {
      return await follow(broker, ref, listener);
    } catch (error) {
      if (!MillraceError.is(error) || HOPELESS.has(error.code)) throw error;
      await new Promise<void>((resolve) => void clock.setTimer(LOOK_AGAIN_MS, resolve));
    }
  }
  return undefined;
}

function requireEvent(event: unknown): { readonly type: string } {
  const { type } = (event ?? {}) as { readonly type?: unknown };
  const wrong =
    typeof type !== "string" || type === ""
      ? "An event is an object with a type."
      : type.startsWith("xstate.")
        ? `The event ${type} is XState's own, and comes from the machine alone.`
        : undefined;
  if (wrong !== undefined) throw new MillraceError("invalid-message", wrong);
  return event as { readonly type: string };
}

function encode(value: unknown, place: string): Uint8Array {
  const trouble = notSendable(value, place);
  if (trouble !== undefined)
    throw new MillraceError(
      "unserializable-payload",
      `${trouble}. Machines and their events are JSON: send plain data.`,
    );
  const data = new TextEncoder().encode(JSON.stringify(value));
  requireFewValues(data, `The ${place}`);
  if (data.length <= MAX_EVENT_BYTES) return data;
  throw new MillraceError(
    "payload-too-large",
    `The ${place} takes ${data.length} bytes, and ${MAX_EVENT_BYTES} is the most. Store the data elsewhere and send a reference to it.`,
  );
}
