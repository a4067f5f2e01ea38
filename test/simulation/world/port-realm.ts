import type { DeadLetter, HistoryRecord } from "@millrace/core";
import { Line } from "../broker/line.ts";
import { SimBroker, type SimBrokerOptions } from "../broker/sim-broker.ts";
import type { SimProcess } from "../engine/process.ts";
import { anyWaitingJob } from "../../../packages/testkit/src/memory/publication.ts";
import { SimServer, type SimServerOptions } from "../server/sim-server.ts";
import type { Leftover, Realm, RealmOf } from "./realm.ts";

export interface PortRealmOptions extends SimBrokerOptions, SimServerOptions {
  /**
   * What a producer writes is taken for a program's of the owner: the fault that the trust boundary
   * mended.
   */
  readonly trustsProducers?: boolean;
}

/** A world at the level of the broker port. */
export function portRealm(options: PortRealmOptions = {}): RealmOf {
  return (timeline, network, tap): Realm => {
    timeline.shareRounds();
    const server = new SimServer(timeline, options);
    const origin = options.trustsProducers === true ? "program" : "producer";
    const lines = new Map<SimProcess, Line>();
    server.onWrite({
      recorded: (record: HistoryRecord) => tap.recorded(record),
      buried: (letter: DeadLetter) => tap.buried(letter),
      withdrawn: (letter: DeadLetter) => tap.withdrawn(letter),
      stored: ({ headers }) => {
        const id = headers["nats-msg-id"];
        if (id !== undefined) tap.stored?.(id);
      },
      forgotten: (message) => tap.forgotten?.(anyWaitingJob(message, "queued").envelope),
    });
    server.bucket("suspects").watch(({ key, document }) => {
      if (document !== undefined) tap.onQuarantine(key, document.value);
    });
    return {
      brokerFor: (process) => {
        const line = new Line(server, process, network);
        lines.set(process, line);
        process.onDeath(() => lines.delete(process));
        return new SimBroker(line, options);
      },
      cut: (process, forMs) => lines.get(process)?.cut(forMs),
      crash: (forgetMs, downMs) => server.crash(forgetMs, downMs),
      elect: (forMs) => server.elect(forMs),
      publishForeign: ({ queue, ...message }) => {
        if (server.state === "up") server.queue(queue).publish({ ...message, origin });
      },
      leftovers: () => leftoversOf(server),
    };
  };
}

function leftoversOf(server: SimServer): readonly Leftover[] {
  return [
    ...[...server.queues.values()].flatMap(({ name, messages }) =>
      messages.map(({ sequence, headers }) => ({
        what: "queued" as const,
        detail: `${name} ${sequence} ${headers["nats-msg-id"] ?? ""}`,
      })),
    ),
    ...server.delayed
      .list()
      .map(({ publication }) => ({ what: "delayed" as const, detail: publication.messageId })),
    ...server.blocked.list().map(({ gate, publication }) => ({
      what: "blocked" as const,
      detail: `${publication.messageId} at ${gate}`,
    })),
    ...server.batches.list().map((batch) => ({ what: "batch" as const, detail: batch })),
    ...server.locks
      .list("")
      .filter(({ name }) => !isKept(name))
      .map(({ name, holder }) => ({ what: "lock" as const, detail: `${name} ${holder}` })),
  ];
}

/**
 * Somebody leads for as long as there are schedules, and an idle node keeps a permit of a queue's
 * cap, or stands in line for one.
 */
function isKept(lock: string): boolean {
  return lock === "leader/scheduler" || lock.startsWith("queue-cap");
}
