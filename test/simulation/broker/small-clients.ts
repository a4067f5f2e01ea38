import type {
  ArrivalStore,
  BatchStore,
  DeadLetterStore,
  DelayedStore,
  JobLogStore,
  JournalStore,
  ProgressStore,
  QueueStore,
  SignalRef,
  SignalStore,
} from "@millrace/core";
import { type InboxMessage, type InboxStore, requireQueueName } from "@millrace/core";
import { MemoryDelayedStore } from "../../../packages/testkit/src/memory/stores/memory-delayed-store.ts";
import type { Line } from "./line.ts";

const FOLLOWER_LOOKS_MS = 1_000;

export function queueClient({ server }: Line, call: Line["call"]): QueueStore {
  return {
    ensure: (name, settings = {}) =>
      call({
        point: `ensure ${name}`,
        act: () => {
          const queue = server.ensureQueue(requireQueueName(name));
          queue.settings = { ...queue.settings, ...settings };
        },
      }),
    setIntake: (name, intake) =>
      call({ point: `intake ${name}`, act: () => void (server.queue(name).intake = intake) }),
    list: () =>
      call({
        point: "list queues",
        act: () => [...server.queues.keys()].toSorted().map((name) => server.snapshot(name)),
      }),
    snapshot: (name) => call({ point: `snapshot ${name}`, act: () => server.snapshot(name) }),
    settings: (name) => call({ point: `settings ${name}`, act: () => server.queue(name).settings }),
    remove: (name) => call({ point: `remove ${name}`, act: () => server.removeQueue(name) }),
  };
}

export function deadLetterClient({ server }: Line, call: Line["call"]): DeadLetterStore {
  return {
    list: (query = {}) => call({ point: "list dead", act: () => server.deadLetters.list(query) }),
    newest: () => call({ point: "newest dead", act: () => server.deadLetters.newest }),
    tail: (query) => call({ point: "tail dead", act: () => server.deadLetters.tail(query) }),
    add: (letter, once) =>
      call({
        point: `add dead ${letter.id}`,
        act: () => server.deadLetters.addOnce(letter, `dead/${letter.queue}/${letter.id}/${once}`),
      }),
    remove: (sequence) =>
      call({ point: `remove dead ${sequence}`, act: () => server.withdraw(sequence) }),
  };
}

export function delayedClient(line: Line, maxMessageBytes: number): DelayedStore {
  const { delayed, clock } = line.server;
  const store = new MemoryDelayedStore({ delayed, clock, maxMessageBytes, reach: () => {} });
  return {
    list: (query) => line.call({ point: "list delayed", act: () => delayed.page(query ?? {}) }),
    count: (queue) => line.call({ point: "count delayed", act: () => delayed.list(queue).length }),
    newest: () => line.call({ point: "newest delayed", act: () => delayed.newest }),
    of: async (job) => await line.call({ point: `delayed ${job.id}`, act: () => store.of(job) }),
    move: async (...order) =>
      await line.call({ point: `move ${order[0]}`, act: () => store.move(...order) }),
  };
}

/** A batch's jobs leave it in three steps, as on a server. */
export function batchClient({ server }: Line, call: Line["call"]): BatchStore {
  const { batches } = server;
  return {
    open: (batch) => call({ point: `open ${batch.id}`, act: () => batches.open(batch) }),
    replace: (batch, revision) =>
      call({ point: `replace ${batch.id}`, act: () => batches.replace(batch, revision) }),
    join: (batch, ids) => call({ point: `join ${batch}`, act: () => batches.join(batch, ids) }),
    leave: async (batch, id, end, { lease } = {}) => {
      const left = await call({
        point: `leave ${batch} ${id.id}`,
        timeoutMs: 30_000,
        code: "publish-timeout",
        mayRepeat: () => lease?.isHeld() ?? true,
        act: () => batches.leave(batch, id, end),
      });
      if (left === undefined) return undefined;
      return call({ point: `left ${batch} ${id.id}`, act: () => batches.left(batch) > 0 });
    },
    batchOf: (member) =>
      call({ point: `batch of ${member.id}`, act: () => batches.batchOf(member) }),
    find: (batch) => call({ point: `find ${batch}`, act: () => batches.find(batch) }),
    ended: (batch) => call({ point: `ended ${batch}`, act: () => batches.ended(batch) }),
    left: (batch) => call({ point: `left ${batch}`, act: () => batches.left(batch) }),
    remove: (batch, revision) =>
      call({ point: `remove ${batch}`, act: () => batches.remove(batch, revision) }),
    removeRest: (batch) => call({ point: `remove the rest of ${batch}`, act: () => {} }),
  };
}

/** A write that comes a second time, its answer lost, meets its own first copy. */
export function journalClient({ server }: Line, call: Line["call"]): JournalStore {
  const { journal } = server;
  return {
    maxBytes: Number.POSITIVE_INFINITY,
    read: (run) => call({ point: `read steps ${run.id}`, act: () => journal.read(run) }),
    write: async (run, step, data, { expected = 0, lease } = {}) =>
      await call({
        point: `step ${run.id} ${step.name} ${step.n}`,
        timeoutMs: 30_000,
        code: "publish-timeout",
        mayRepeat: () => lease?.isHeld() ?? true,
        act: () => journal.write(run, step, data, expected),
      }),
    remove: (run) => call({ point: `forget steps ${run.id}`, act: () => journal.remove(run) }),
  };
}

/** What is sent and its answer lost is sent again, and may then lie there twice. */
export function signalClient(line: Line, call: Line["call"]): SignalStore {
  const { signals } = line.server;
  return {
    send: (signal, body) =>
      call({
        point: `signal ${signal.id} ${signal.name}`,
        timeoutMs: 30_000,
        code: "publish-timeout",
        act: () => signals.send(signal, body),
      }),
    read: (signal) =>
      call({ point: `signals ${signal.id} ${signal.name}`, act: () => signals.read(signal) }),
    drop: ({ id, name }, sequence) =>
      call({ point: `drop signal ${id} ${name}`, act: () => signals.drop(sequence) }),
    newest: (job) => call({ point: `newest signal ${job.id}`, act: () => signals.newest(job) }),
    remove: (job, until) =>
      call({ point: `forget signals ${job.id}`, act: () => signals.remove(job, until) }),
    follow: async (hear) => {
      const follower = {
        isThere: () => line.isConnected && line.process.isRunning,
        hear: (signal: SignalRef) =>
          new Promise<void>((resolve, reject) =>
            line.deliver(() => void hear(signal).then(resolve, reject)),
          ),
      };
      await call({ point: "follow signals", act: () => signals.join(follower) });
      let following = true;
      // One that was frozen when a signal came has nobody to tell it of that when it goes on.
      const look = (): void => {
        if (!following) return;
        signals.tell();
        line.process.clock.setTimer(FOLLOWER_LOOKS_MS, look);
      };
      look();
      return line.attach(() => {
        following = false;
        signals.leave(follower);
      });
    },
  };
}

/** What is sent and its answer lost is sent again, and may then lie there twice. */
export function inboxClient(line: Line, call: Line["call"]): InboxStore {
  const { inbox } = line.server;
  const publish = (point: string, act: () => void): Promise<void> =>
    call({ point, timeoutMs: 30_000, code: "publish-timeout", act });
  return {
    send: (to, body) =>
      publish(`send ${body.kind} to ${to.machine} ${to.id}`, () => inbox.add(to, body)),
    tell: (to, data) =>
      publish(`tell ${to.machine} ${to.id}`, () => inbox.add(to, { kind: "end", data })),
    tick: (to, data, at) =>
      publish(`tick of ${to.machine} ${to.id}`, () => inbox.tick(to, data, at)),
    ticksAsked: () => call({ point: "ticks asked", act: () => inbox.ticksAsked }),
    dropTicks: (of, until) =>
      call({
        point: `drop ticks of ${of.machine} ${of.id}`,
        act: () => inbox.dropTicks(of, until),
      }),
    next: (of, from) =>
      call({ point: `next of ${of.machine} ${of.id}`, act: () => inbox.next(of, from) }),
    has: (place) => call({ point: `has ${place}`, act: () => inbox.has(place) }),
    backlogs: () => call({ point: "backlogs", act: () => inbox.backlogs() }),
    host: async (machine, { slots, take }) => {
      let taking = 0;
      const host = {
        machine,
        hasRoom: () => line.isConnected && line.process.isRunning && taking < slots,
        take: (message: InboxMessage) =>
          new Promise<void>((resolve, reject) =>
            line.deliver(() => {
              taking += 1;
              void take(message)
                .finally(() => (taking -= 1))
                .then(resolve, reject);
            }),
          ),
      };
      await call({ point: `host ${machine}`, act: () => inbox.join(host) });
      return line.attach(() => inbox.leave(host));
    },
  };
}

/** A page that comes a second time, its answer lost, is known by its server. */
export function jobLogClient({ server }: Line, call: Line["call"]): JobLogStore {
  const { jobLogs } = server;
  return {
    append: (job, page) =>
      call({
        point: `log ${job.id} ${page.page}`,
        code: "publish-timeout",
        mayRepeat: () => true,
        act: () => jobLogs.append(job, page),
      }),
    read: (job, { after = 0, limit = 100 } = {}) =>
      call({ point: `read log ${job.id}`, act: () => jobLogs.read(job, after, limit) }),
  };
}

/** No process of a world keeps an account of jobs. */
export const arrivalClient: ArrivalStore = {
  stretch: () => Promise.reject(new TypeError("Arrivals are not simulated.")),
  takeOut: () => Promise.reject(new TypeError("Arrivals are not simulated.")),
  hear: () => Promise.reject(new TypeError("Arrivals are not simulated.")),
};

export function progressClient(line: Line): ProgressStore {
  const { latest, followers } = line.server.progress;
  const keyOf = ({ queue, id }: { queue: string; id: string }): string => `${queue}.${id}`;
  return {
    put: (job, report) =>
      line.call({
        point: `progress ${job.id}`,
        act: () => {
          latest.set(keyOf(job), report);
          for (const tell of [...followers]) tell(keyOf(job), report);
        },
      }),
    latest: (job) =>
      line.call({ point: `progress of ${job.id}`, act: () => latest.get(keyOf(job)) }),
    remove: (job) =>
      line.call({ point: `forget ${job.id}`, act: () => void latest.delete(keyOf(job)) }),
    follow: async (job, listener) => {
      const tell = (key: string, report: Parameters<typeof listener>[0]): void => {
        if (key === keyOf(job)) line.deliver(() => listener(report));
      };
      followers.add(tell);
      return line.attach(() => void followers.delete(tell));
    },
  };
}
