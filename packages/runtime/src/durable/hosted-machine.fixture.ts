import {
  type Broker,
  defineMachine,
  type InboxMessage,
  machineAddress,
  type MachineDocument,
  MACHINES_BUCKET,
  MillraceError,
  noMetrics,
  readMachine,
  type SentEvent,
  silentLogger,
  systemClock,
  withOwn,
} from "@millrace/core";
import { MemoryBroker } from "@millrace/testkit";
import { assign, sendTo, setup } from "xstate";
import { MachineHost } from "./machine-host.ts";

const chart = setup({
  actions: {
    tell: sendTo(() => machineAddress("open", "b"), { type: "TOLD" }),
    grow: assign({ note: "x".repeat(1_000) }),
  },
}).createMachine({ on: { TELL: { actions: "tell" }, GROW: { actions: "grow" } } });

const definition = defineMachine({ name: "m", machine: chart, sendsTo: ["down", "full", "open"] });

export const NOW = 1_000_000;

export function sent(to: string, number: number): SentEvent {
  const id = `millrace-m:m:a:r:1:${number}`;
  return { do: "send", to: { machine: to, id: "b" }, event: { type: "TOLD" }, id };
}

export const document: MachineDocument = {
  ...{ v: 1, machine: "m", id: "a", version: 1, run: "r", rev: 1, status: "active" },
  ...{ value: {}, context: {}, cursor: 0, cause: "gone", children: {}, invoked: 0, timers: {} },
  ...{ tickRev: 0, seen: [], trail: [], startedAt: 0, changedAt: NOW, pending: [] },
};

/** A host of one machine. Machines called `full` have no room, and one called `down` not yet. */
export async function hosted(
  stored: MachineDocument | undefined,
  { maxMessageBytes = 1_000_000 }: { readonly maxMessageBytes?: number } = {},
) {
  const memory = new MemoryBroker();
  const documents = await memory.documents(MACHINES_BUCKET);
  if (stored !== undefined) await documents.put("m.a", stored, 0);
  const looks = { count: 0, isDown: true };
  const look = <T>(read: Promise<T>): Promise<T> => {
    looks.count += 1;
    return read;
  };
  const counted = withOwn(documents, {
    get: (key) => look(documents.get(key)),
    find: (key) => look(documents.find(key)),
  });
  const accepted: (string | undefined)[] = [];
  const refused: (string | undefined)[] = [];
  const time = { now: NOW };
  const ticks: { readonly data: Uint8Array; readonly at: number }[] = [];
  /** Ends of jobs that the host itself tells its machine. */
  const told: unknown[] = [];
  let take: ((message: InboxMessage) => Promise<void>) | undefined;
  const inbox = withOwn<Broker["inbox"]>(memory.inbox, {
    host: (_machine, options) => {
      ({ take } = options);
      return Promise.resolve({ stop: () => Promise.resolve() });
    },
    send: (to, { eventId }) => {
      const isFull = to.machine === "full";
      const isDown = to.machine === "down" && looks.isDown;
      (isFull || isDown ? refused : accepted).push(eventId);
      if (isFull) return Promise.reject(new MillraceError("queue-full", "No room."));
      if (isDown) return Promise.reject(new MillraceError("publish-timeout", "No answer."));
      return Promise.resolve();
    },
    tell: (_of, data) => Promise.resolve(void told.push(data)),
    tick: (_of, data, at) => Promise.resolve(void ticks.push({ data, at })),
    has: () => Promise.resolve(false),
    next: () => Promise.resolve(undefined),
  });
  const broker = withOwn<Broker>(memory, {
    ...{ inbox, documents: () => Promise.resolve(counted), maxMessageBytes },
  });
  await MachineHost.open({
    ...{ broker, definition, node: "n", log: silentLogger, instrumentation: undefined },
    ...{ clock: { ...systemClock, now: () => time.now }, instrumentationFailed: () => {} },
    producer: { enqueue: () => Promise.reject(new Error("no job is invoked here")) },
    metrics: noMetrics,
  });
  const message = (type: string, sequence: number, fields = {}): InboxMessage => ({
    ...{ kind: "event", machine: "m", id: "a", sequence, place: `p-${sequence}`, isAgain: false },
    ...{ data: Buffer.from(JSON.stringify({ type, ...fields })), eventId: `e-${sequence}` },
  });
  return {
    ...{ accepted, refused, time, looks, ticks, told },
    tick: (data: Uint8Array, sequence: number) => {
      const { eventId: _none, ...rest } = message("", sequence);
      return take?.({ ...rest, kind: "tick", data });
    },
    /** What comes to the machine as somebody else wrote it. */
    takeText: (kind: "event" | "start", text: string) =>
      take?.({ ...message("", 7), kind, data: Buffer.from(text) }),
    take: (type: string, sequence = 7, fields: object = {}) =>
      take?.(message(type, sequence, fields)) ?? Promise.reject(new Error("not hosted")),
    stored: async () => readMachine((await documents.get("m.a"))?.value),
  };
}
