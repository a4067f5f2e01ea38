import { createInbox, type NatsConnection } from "@nats-io/nats-core";

export interface BarePull {
  readonly stream: string;
  readonly consumer: string;
  readonly messages: number;
  /** Most messages asked for and not yet received. */
  readonly slots: number;
}

const ACK = new TextEncoder().encode("+ACK");

/**
 * Keeps a pull outstanding and hands every message to `handle`, until all have come; each stream
 * sequence counts once.
 */
async function pullLoop(
  nc: NatsConnection,
  run: BarePull,
  handle: (ackSubject: string, subject: string, finished: () => void) => void,
): Promise<void> {
  const inbox = createInbox();
  const done = Promise.withResolvers<void>();
  const seen = new Set<string>();
  let outstanding = 0;
  const refill = (): void => {
    const batch = run.slots - outstanding;
    if (batch < run.slots / 4) return;
    outstanding += batch;
    nc.publish(
      `$JS.API.CONSUMER.MSG.NEXT.${run.stream}.${run.consumer}`,
      `{"batch":${batch},"expires":30000000000}`,
      { reply: inbox },
    );
  };
  const finished = (): void => {
    if (seen.size === run.messages) done.resolve();
    else refill();
  };
  const sub = nc.subscribe(inbox, {
    callback: (error, msg) => {
      if (error) return done.reject(error);
      const ackSubject = msg.reply;
      if (ackSubject === undefined || ackSubject === "")
        return done.reject(new Error(`status ${msg.headers?.status ?? "?"}`));
      outstanding -= 1;
      seen.add(ackSubject.split(".")[5] ?? "");
      handle(ackSubject, msg.subject, finished);
    },
  });
  refill();
  await done.promise;
  sub.unsubscribe();
  await nc.flush();
}

/** The limit for doing nothing: pull and ack. */
export function barePullAck(nc: NatsConnection, run: BarePull): Promise<void> {
  return pullLoop(nc, run, (ackSubject, _subject, finished) => {
    nc.publish(ackSubject, ACK);
    finished();
  });
}

/**
 * The limit for doing nothing with a history: each message also leaves one record, which is
 * confirmed, before it is acked (`confirm: true`), or is sent along with the ack unconfirmed.
 */
export async function barePullHistoryAck(
  nc: NatsConnection,
  run: BarePull & {
    readonly historyPrefix: string;
    readonly record: Uint8Array;
    readonly confirm: boolean;
  },
): Promise<void> {
  const prefix = `${createInbox()}.`;
  const waiting = new Map<number, () => void>();
  let token = 0;
  const sub = nc.subscribe(`${prefix}*`, {
    callback: (_error, msg) => {
      const ack = JSON.parse(msg.string()) as { seq?: number };
      const key = Number(msg.subject.slice(prefix.length));
      const settle = waiting.get(key);
      waiting.delete(key);
      if (ack.seq !== undefined) settle?.();
    },
  });
  await pullLoop(nc, run, (ackSubject, _subject, finished) => {
    token += 1;
    const id = `${token}`;
    const subject = `${run.historyPrefix}.${id}.succeeded`;
    if (run.confirm) {
      waiting.set(token, () => {
        nc.publish(ackSubject, ACK);
        finished();
      });
      nc.publish(subject, run.record, { reply: prefix + id });
    } else {
      nc.publish(subject, run.record);
      nc.publish(ackSubject, ACK);
      finished();
    }
  });
  sub.unsubscribe();
}
