import { withOwn } from "@millrace/core";
import { type Msg, type NatsConnection, TimeoutError } from "@nats-io/nats-core";
import { watchConnection } from "./connection-events.ts";

/** The line that a question was asked on was lost: whether it was heard is not known. */
export class AnswerLostError extends TimeoutError {}

/** One for each connection: each watches it for as long as it is there. */
const lines = new WeakMap<NatsConnection, NatsConnection>();

/**
 * The same connection, whose requests end with an `AnswerLostError` where the line was lost
 * meanwhile and is back. The client would wait for such an answer until its timeout, and what was
 * asked while the line was away may never have been sent.
 */
export function onOneLine(nc: NatsConnection): NatsConnection {
  const line = lines.get(nc) ?? lineOf(nc);
  lines.set(nc, line);
  return line;
}

function lineOf(nc: NatsConnection): NatsConnection {
  const waiting = new Set<() => void>();
  watchConnection(nc, ({ type }) => {
    if (type === "reconnect") for (const lose of [...waiting]) lose();
  });
  const request = async (...question: Parameters<NatsConnection["request"]>): Promise<Msg> => {
    const lost = Promise.withResolvers<never>();
    const lose = (): void => lost.reject(new AnswerLostError());
    waiting.add(lose);
    try {
      const answer = nc.request(...question);
      answer.catch(() => "nobody may wait for it any more");
      return await Promise.race([answer, lost.promise]);
    } finally {
      waiting.delete(lose);
    }
  };
  return withOwn(nc, { request });
}
