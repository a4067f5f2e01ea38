import { createInbox, type MsgHdrs, type NatsConnection } from "@nats-io/nats-core";

export interface BarePublish {
  readonly messages: number;
  readonly subject: (index: number) => string;
  readonly payload: Uint8Array;
  /** Messages on their way without an acknowledgement yet. */
  readonly window: number;
  /** `Nats-Msg-Id` of a message, or none. */
  readonly messageId?: (index: number) => string;
}

/**
 * The limit for confirmed publishing: core publish, one inbox, every acknowledgement read and
 * counted once by its token. No promise, timer or retry per message.
 */
export async function barePublish(nc: NatsConnection, run: BarePublish): Promise<void> {
  const prefix = `${createInbox()}.`;
  const confirmed = new Uint8Array(run.messages);
  const done = Promise.withResolvers<void>();
  let next = 0;
  let acks = 0;
  const send = (): void => {
    const index = next++;
    const reply = prefix + index;
    const id = run.messageId?.(index);
    if (id === undefined) nc.publish(run.subject(index), run.payload, { reply });
    else nc.publish(run.subject(index), run.payload, { reply, headers: messageIdHeader(id) });
  };
  const sub = nc.subscribe(`${prefix}*`, {
    callback: (error, msg) => {
      if (error) return done.reject(error);
      const ack = JSON.parse(msg.string()) as { seq?: number; error?: unknown };
      const index = Number(msg.subject.slice(prefix.length));
      if (ack.seq === undefined || ack.error !== undefined || confirmed[index] === 1) {
        return done.reject(new Error(`message ${index} was not stored: ${msg.string()}`));
      }
      confirmed[index] = 1;
      acks += 1;
      if (next < run.messages) send();
      else if (acks === run.messages) done.resolve();
    },
  });
  while (next < Math.min(run.window, run.messages)) send();
  await done.promise;
  sub.unsubscribe();
}

const encoder = new TextEncoder();

/** The cheapest header there is: nats-core asks only for `encode()`. */
function messageIdHeader(id: string): MsgHdrs {
  return {
    encode: () => encoder.encode(`NATS/1.0\r\nNats-Msg-Id: ${id}\r\n\r\n`),
  } as unknown as MsgHdrs;
}
