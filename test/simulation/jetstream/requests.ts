import type { Timer } from "@millrace/core";
import type { Msg, NatsConnection, Payload, RequestOptions } from "@nats-io/nats-core";
import { errors } from "@nats-io/nats-core/internal";
import type { Machine } from "../../../packages/broker-nats/src/machine/machine.ts";

interface Asked {
  readonly subject: string;
  readonly answer: PromiseWithResolvers<Msg>;
  readonly timer: Timer;
}

interface Asker extends Pick<NatsConnection, "publish" | "subscribe"> {
  readonly machine: Machine;
}

const DEFAULT_MS = 1_000;

/** All requests of a connection, on one inbox as the client library has them. */
export class Requests {
  readonly #nc: Asker;
  readonly #asked = new Map<string, Asked>();
  #prefix: string | undefined;
  #last = 0;

  constructor(nc: Asker) {
    this.#nc = nc;
  }

  ask(subject: string, payload?: Payload, options?: RequestOptions): Promise<Msg> {
    const prefix = (this.#prefix ??= this.#open());
    const token = String((this.#last += 1));
    const answer = Promise.withResolvers<Msg>();
    const timer = this.#nc.machine.clock.setTimer(options?.timeout ?? DEFAULT_MS, () => {
      this.#asked.delete(token);
      answer.reject(new errors.TimeoutError());
    });
    this.#asked.set(token, { subject, answer, timer });
    try {
      this.#nc.publish(subject, payload, {
        reply: prefix + token,
        ...(options?.headers === undefined ? {} : { headers: options.headers }),
      });
    } catch (error) {
      timer.cancel();
      this.#asked.delete(token);
      answer.reject(error);
    }
    return answer.promise;
  }

  close(): void {
    for (const { answer, timer } of this.#asked.values()) {
      timer.cancel();
      answer.reject(new errors.RequestError("connection closed"));
    }
    this.#asked.clear();
  }

  #open(): string {
    const prefix = `_INBOX.${this.#nc.machine.newToken()}.`;
    this.#nc.subscribe(`${prefix}*`, {
      callback: (_error, msg) => this.#answered(msg.subject.slice(prefix.length), msg),
    });
    return prefix;
  }

  #answered(token: string, msg: Msg): void {
    const asked = this.#asked.get(token);
    if (asked === undefined) return;
    this.#asked.delete(token);
    const { subject, answer, timer } = asked;
    timer.cancel();
    if (msg.data.length > 0 || msg.headers?.code !== 503) return answer.resolve(msg);
    const cause = new errors.NoRespondersError(subject);
    answer.reject(new errors.RequestError(cause.message, { cause }));
  }
}
