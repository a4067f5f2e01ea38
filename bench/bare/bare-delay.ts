import {
  AckPolicy,
  DiscardPolicy,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { createInbox, headers, type NatsConnection } from "@nats-io/nats-core";

export interface BareDelay {
  readonly nc: NatsConnection;
  readonly namespace: string;
  readonly messages: number;
  /** When each is due, epoch milliseconds. */
  readonly dueAt: (index: number) => number;
}

const ACK = new TextEncoder().encode("+ACK");
const PULL = 20_000;

/**
 * The server's own wait and nothing else: a schedule at the very time where it has them, else a
 * message that is given back until then. How late each came, milliseconds.
 */
export async function bareDelay({
  nc,
  namespace,
  messages,
  dueAt,
}: BareDelay): Promise<Float64Array> {
  const [major = 0, minor = 0] = (nc.info?.version ?? "").split(".").map(Number);
  const schedules = major > 2 || minor >= 12;
  const stream = `${namespace}-bare-delayed`;
  const jsm = await jetstreamManager(nc);
  // `allow_msg_schedules` is missing from the client's type.
  const config: Partial<StreamConfig> & { name: string; allow_msg_schedules?: boolean } = {
    name: stream,
    subjects: [`${namespace}.held.>`, `${namespace}.due.>`],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    ...(schedules ? { allow_msg_schedules: true } : {}),
  };
  await jsm.streams.add(config);
  await jsm.consumers.add(stream, {
    durable_name: "bare",
    filter_subject: `${namespace}.due.>`,
    ack_policy: AckPolicy.Explicit,
    max_ack_pending: -1,
    ack_wait: 3_600e9,
  });
  const late = new Float64Array(messages);
  const done = Promise.withResolvers<void>();
  let left = messages;
  const inbox = createInbox();
  let outstanding = 0;
  const pull = (): void => {
    if (outstanding > PULL / 2) return;
    const batch = PULL - outstanding;
    outstanding += batch;
    nc.publish(
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.bare`,
      `{"batch":${batch},"expires":600000000000}`,
      {
        reply: inbox,
      },
    );
  };
  const sub = nc.subscribe(inbox, {
    callback: (error, msg) => {
      if (error) return done.reject(error);
      outstanding -= 1;
      const index = Number(msg.subject.slice(msg.subject.lastIndexOf(".") + 1));
      const lateMs = Date.now() - dueAt(index);
      if (lateMs < 0) nc.publish(msg.reply ?? "", `-NAK {"delay":${Math.ceil(-lateMs)}000000}`);
      else {
        nc.publish(msg.reply ?? "", ACK);
        late[index] = lateMs;
        if (--left === 0) done.resolve();
      }
      pull();
    },
  });
  pull();
  for (let index = 0; index < messages; index += 1) {
    const head = headers();
    head.set("Nats-Schedule", `@at ${new Date(dueAt(index)).toISOString()}`);
    head.set("Nats-Schedule-Target", `${namespace}.due.${index}`);
    if (schedules) nc.publish(`${namespace}.held.${index}`, "x", { headers: head });
    else nc.publish(`${namespace}.due.${index}`, "x");
    if (index % 1_000 === 999) await nc.flush();
  }
  await done.promise;
  sub.unsubscribe();
  await jsm.streams.delete(stream);
  return late;
}
