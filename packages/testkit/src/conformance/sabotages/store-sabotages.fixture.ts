import { type Broker, withOwn } from "@millrace/core";
import type { MemoryBroker } from "../../memory-broker.ts";
import { type Sabotage, spoiltSteps } from "./sabotage.fixture.ts";

/** What waits, what has ended, and what is kept. */
export const STORE_SABOTAGES: readonly Sabotage[] = [
  {
    wrong: "a dead letter whose bytes were encoded again",
    noticedBy: "dead letters: keep the bytes",
    spoil: (honest) =>
      spoiltSteps(honest, (steps) =>
        steps.map((step) => {
          if (step.do !== "bury") return step;
          const body = new TextEncoder().encode(new TextDecoder().decode(step.letter.body));
          return { ...step, letter: { ...step.letter, body } };
        }),
      ),
  },
  {
    wrong: "pages that overlap",
    noticedBy: "dead letters: are listed oldest first",
    spoil: (honest) => ({
      deadLetters: withOwn(honest.deadLetters, {
        list: ({ after = 1, ...query } = {}) =>
          honest.deadLetters.list({ ...query, after: after - 1 }),
      }),
    }),
  },
  {
    wrong: "an end of the dead letters that reaches back to the first",
    noticedBy: "dead letters: their tail",
    spoil: (honest) => ({
      deadLetters: withOwn(honest.deadLetters, {
        tail: (query) => honest.deadLetters.tail({ ...query, withinMs: 600_000 }),
      }),
    }),
  },
  {
    wrong: "a letter that is put back as often as it is asked for",
    noticedBy: "dead letters: one that is put back",
    spoil: (honest) => {
      let copies = 0;
      return {
        deadLetters: withOwn(honest.deadLetters, {
          add: (letter, once) => honest.deadLetters.add(letter, `${once}${(copies += 1)}`),
        }),
      };
    },
  },
  {
    wrong: "a job that is said to be taken out and stays",
    noticedBy: "arrivals: a job that was handed to nobody",
    spoil: ({ arrivals }) => ({
      arrivals: withOwn(arrivals, { takeOut: () => Promise.resolve("taken") }),
    }),
  },
  {
    wrong: "a bucket that keeps what is older than it may be",
    noticedBy: "documents: what is older than a bucket",
    spoil: (honest) => ({ documents: (bucket) => honest.documents(bucket) }),
  },
  {
    wrong: "a journal in which the last record of a step counts",
    noticedBy: "journal: the first record of a step counts",
    spoil: (honest) => ({
      journal: withOwn(honest.journal, {
        write: async (run, step, data, options) => {
          const there = await honest.journal.write(run, step, data, options);
          if (there.data.every((byte, at) => byte === data[at])) return there;
          return honest.journal.write(run, step, data, { expected: there.revision });
        },
      }),
    }),
  },
  {
    wrong: "a signal of which nobody is told again",
    noticedBy: "signals: whoever follows is told of each",
    spoil: ({ signals }) => ({
      signals: withOwn(signals, {
        follow: (hear) => signals.follow((signal) => hear(signal).catch(() => {})),
      }),
    }),
  },
  {
    wrong: "a log in which a page that came again lies twice",
    noticedBy: "job logs: a page that comes again is kept once",
    spoil: (honest) => {
      let copies = 0;
      return {
        jobLogs: withOwn(honest.jobLogs, {
          append: (job, page) => honest.jobLogs.append(job, { ...page, page: (copies += 1) }),
        }),
      };
    },
  },
  {
    wrong: "blocked jobs that leave newest first",
    noticedBy: "blocked: are let in oldest first",
    spoil: (honest) => ({
      blocked: withOwn(honest.blocked, {
        release: async (queue, gate, count) => {
          const jobs = await honest.blocked.list({ queue, gate });
          for (const { envelope } of jobs.toReversed().slice(0, count))
            await honest.blocked.releaseJob(queue, envelope.id);
          return Math.min(count, jobs.length);
        },
      }),
    }),
  },
  {
    wrong: "a move that leaves the job where it was as well",
    noticedBy: "delayed: a job that is moved to a time",
    spoil: (honest) => ({
      delayed: withOwn(honest.delayed, {
        move: async (id, queue, to) => {
          const waiting = await honest.findWaiting(id, { queue });
          const moved = await honest.delayed.move(id, queue, to);
          if (moved && waiting !== undefined)
            await honest.requeue({ ...waiting.envelope, generation: 2 });
          return moved;
        },
      }),
    }),
  },
  {
    wrong: "a move that forgets what it is for",
    noticedBy: "delayed: a job that is brought to be cancelled",
    spoil: (honest) => ({
      delayed: withOwn(honest.delayed, {
        move: (id, queue, to) => honest.delayed.move(id, queue, to),
      }),
    }),
  },
  {
    wrong: "a move of a job that waits for another time than was said",
    noticedBy: "delayed: a job that waits for another time",
    spoil: (honest) => ({
      delayed: withOwn(honest.delayed, {
        move: (id, queue, to, { from: _, ...meant } = {}) =>
          honest.delayed.move(id, queue, to, meant),
      }),
    }),
  },
  {
    wrong: "a move that counts as an interruption",
    noticedBy: "delayed: a job that is moved to now",
    spoil: (honest) => ({
      delayed: withOwn(honest.delayed, {
        move: async (id, queue) => {
          const waiting = await honest.findWaiting(id, { queue });
          if (waiting?.state !== "delayed") return false;
          const { notBefore: _, ...envelope } = waiting.envelope;
          await honest.requeue({ ...envelope, interruptions: envelope.interruptions + 1 });
          return true;
        },
      }),
    }),
  },
  {
    wrong: "a move that never says no",
    noticedBy: "delayed: what does not wait for its time",
    spoil: (honest) => ({
      delayed: withOwn(honest.delayed, {
        move: async (id, queue, to) => {
          await honest.delayed.move(id, queue, to);
          return true;
        },
      }),
    }),
  },
  {
    wrong: "a list of delayed jobs in the order of storing",
    noticedBy: "delayed: lists what waits",
    spoil: (honest) => ({
      delayed: withOwn(honest.delayed, {
        list: async (query) =>
          (await honest.delayed.list(query)).toSorted((a, b) => a.position - b.position),
      }),
    }),
  },
  {
    wrong: "pages of delayed jobs that overlap",
    noticedBy: "delayed: pages go on",
    spoil: (honest) => ({
      delayed: withOwn(honest.delayed, {
        list: ({ after = 1, ...query } = {}) => honest.delayed.list({ ...query, after: after - 1 }),
      }),
    }),
  },
  {
    wrong: "a count of all queues whatever was asked",
    noticedBy: "delayed: a longer list",
    spoil: (honest) => ({
      delayed: withOwn(honest.delayed, { count: () => honest.delayed.count() }),
    }),
  },
  {
    wrong: "a list of what waits that leaves out what runs",
    noticedBy: "looking: a job that runs",
    spoil: (honest) => ({
      listWaiting: async (queue, options) => {
        const all = await honest.listWaiting(queue, options);
        const { running } = await honest.queues.snapshot(queue);
        return all.slice(running);
      },
    }),
  },
  {
    wrong: "history newest first",
    noticedBy: "history: a job's records",
    spoil: (honest) => ({
      history: withOwn(honest.history, {
        read: async (query) => (await honest.history.read(query)).toReversed(),
      }),
    }),
  },
  {
    wrong: "a tail of the history that is all of it",
    noticedBy: "history: its tail",
    spoil: (honest) => ({
      history: withOwn(honest.history, {
        tail: ({ limit }) => honest.history.tail({ limit, withinMs: Number.MAX_SAFE_INTEGER }),
      }),
    }),
  },
  {
    wrong: "a stretch of the history that forgets its kind",
    noticedBy: "history: a stretch",
    spoil: (honest) => ({
      history: withOwn(honest.history, {
        stretch: ({ kind: _, ...query }) => honest.history.stretch(query),
      }),
    }),
  },
  {
    wrong: "a stretch of the history that is longer than was asked for",
    noticedBy: "history: a stretch",
    spoil: (honest) => ({
      history: withOwn(honest.history, {
        stretch: ({ limit: _, ...query }) => honest.history.stretch(query),
      }),
    }),
  },
  {
    wrong: "a watch of the history that hears of every queue",
    noticedBy: "history: a watch",
    spoil: (honest) => ({
      history: withOwn(honest.history, {
        watch: (_options, listener) => honest.history.watch({}, listener),
      }),
    }),
  },
  {
    wrong: "a job of a batch that is told of twice",
    noticedBy: "batches: jobs that leave again",
    spoil: (honest) => ({
      batches: withOwn(honest.batches, {
        ended: async (batch) => {
          const ended = await honest.batches.ended(batch);
          return [...ended, ...ended.slice(0, 1)];
        },
      }),
    }),
  },
  {
    wrong: "a batch that is removed although somebody has written it since",
    noticedBy: "batches: one is removed as it was read",
    spoil: (honest) => ({
      batches: withOwn(honest.batches, { remove: (batch) => honest.batches.remove(batch) }),
    }),
  },
  {
    wrong: "a document that is left out of a list",
    noticedBy: "documents: a list that is read while",
    spoil: (honest) => ({
      documents: async (bucket) => {
        const documents = await honest.documents(bucket);
        return withOwn(documents, { list: async () => (await documents.list()).slice(1) });
      },
    }),
  },
  {
    wrong: "removals that are heard as puts",
    noticedBy: "documents: what another connection puts is heard",
    spoil: (honest) => ({
      documents: async (bucket) => {
        const documents = await honest.documents(bucket);
        return withOwn(documents, {
          hearPuts: (listener) =>
            documents.watch(({ key, document }) => listener({ key, value: document?.value })),
        });
      },
    }),
  },
  {
    wrong: "documents without compare-and-set",
    noticedBy: "documents: compare-and-set",
    spoil: (honest) => ({
      documents: async (bucket) => {
        const documents = await honest.documents(bucket);
        return withOwn(documents, { put: (key, value) => documents.put(key, value) });
      },
    }),
  },
  {
    wrong: "delayed jobs are not found",
    noticedBy: "looking: a job that waits for its time",
    spoil: (honest) => ({
      findWaiting: async (id, options) => {
        const found = await honest.findWaiting(id, options);
        return found?.state === "delayed" ? undefined : found;
      },
    }),
  },
  {
    wrong: "a close that closes nothing",
    noticedBy: "connection: close()",
    spoil: () => ({ close: async () => {} }),
  },
];

/** Its count is one job behind, the first time it is asked for. */
export function countsOneLate(honest: MemoryBroker): Partial<Broker> {
  let late = 1;
  return {
    delayed: withOwn(honest.delayed, {
      count: async (queue) => {
        const counted = (await honest.delayed.count(queue)) + late;
        late = 0;
        return counted;
      },
    }),
  };
}

export function countsNothing(honest: MemoryBroker): Partial<Broker> {
  return { delayed: withOwn(honest.delayed, { count: async () => 0 }) };
}
