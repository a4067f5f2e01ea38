import { type Logger, silentLogger } from "@millrace/core";
import { headers as newHeaders } from "@nats-io/nats-core";
import type { NatsConnection } from "@nats-io/transport-node";
import {
  type BatchEnded,
  createNode,
  type DeadJob,
  defineJob,
  type ExecutionContext,
  fatal,
  type Millrace,
  type MillraceNode,
} from "millrace";
import { patientManager } from "../harness/administrator.ts";
import { cleanUpLater } from "../harness/cleanup.ts";
import { eventually } from "../harness/deadline.ts";
import { nobodyPulls } from "../harness/pulls.ts";
import type { TestServer } from "../harness/servers.ts";
import { asRole, operatorOf } from "../permissions/roles.ts";

/** What a handler was given. */
export interface Ran {
  readonly queue: string;
  readonly id: string;
  readonly name: string;
  readonly attempt: number;
  readonly input: unknown;
}

export const mail = defineJob<unknown>({ name: "mail.send", queue: "mail" });
export const flaky = defineJob<unknown>({
  name: "mail.flaky",
  queue: "mail",
  retry: { attempts: 2, base: "1ms", jitter: false },
});
export const doomed = defineJob<unknown>({ name: "mail.doomed", queue: "mail" });
export const capped = defineJob<{ readonly key: string }>({
  name: "mail.capped",
  queue: "mail",
  concurrency: { key: ({ key }) => key, limit: 1 },
});
/** Told of the ends of the next one, in the queue that its producer may use. */
export const buried = defineJob<DeadJob>({ name: "mail.buried", queue: "mail" });
export const watched = defineJob<unknown>({ name: "mail.watched", queue: "mail", onDead: buried });
export const mailed = defineJob<BatchEnded<string>>({ name: "mail.mailed", queue: "mail" });
export const transfer = defineJob<unknown>({ name: "payments.transfer", queue: "payments" });
export const booked = defineJob<BatchEnded<string>>({ name: "payments.booked", queue: "payments" });

/** What answered a producer: JetStream's acknowledgement. */
interface Ack {
  readonly stream?: string;
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly description: string };
}

/** Two queues, of which the producer `shop` may use one, with the example roles as they are. */
export interface Bank {
  readonly node: MillraceNode;
  readonly shop: NatsConnection;
  readonly operator: Millrace;
  readonly ran: readonly Ran[];
  /** Pauses `mail`, or another queue. Resolves when the node takes no more of it. */
  pause(queue?: string): Promise<void>;
  /** Lets those of `mail.capped` end. */
  open(): void;
  /** Published by the producer, bare. */
  send(
    job: unknown,
    options?: {
      readonly subject?: string;
      readonly headers?: Readonly<Record<string, string>>;
    },
  ): Promise<Ack>;
  /** Resolves when this job of the queue `mail` has a record that ends it; its state and reason. */
  end(id: string, queue?: string): Promise<string>;
  /** What ran in the other queue. */
  paid(): readonly Ran[];
}

export async function openBank(server: TestServer): Promise<Bank> {
  const ran: Ran[] = [];
  const gate = Promise.withResolvers<void>();
  const note = ({ job, attempt, input }: ExecutionContext<unknown>, name: string) => {
    ran.push({ queue: job.queue, id: job.id, name, attempt, input });
    return input;
  };
  let changes = 0;
  const log: Logger = {
    ...silentLogger,
    info: (_fields, message) => {
      if (message === "the controls of a queue have changed") changes += 1;
    },
    child: () => log,
  };
  const node = await createNode({
    servers: server.url,
    log,
    user: "node",
    password: "node",
    graceMs: 2_000,
    jobs: [
      mail.handler((context) => note(context, "mail.send")),
      flaky.handler((context) => {
        note(context, "mail.flaky");
        if (context.attempt === 1) throw new Error("once more");
        return "at last";
      }),
      doomed.handler((context) => {
        note(context, "mail.doomed");
        throw fatal("never");
      }),
      capped.handler(async (context) => {
        note(context, "mail.capped");
        await gate.promise;
      }),
      watched.handler((context) => {
        note(context, "mail.watched");
        throw fatal("never");
      }),
      buried.handler((context) => note(context, "mail.buried")),
      mailed.handler((context) => note(context, "mail.mailed")),
      transfer.handler((context) => note(context, "payments.transfer")),
      booked.handler((context) => note(context, "payments.booked")),
    ],
  });
  cleanUpLater(() => node.stop());
  await node.start();
  const shop = await asRole(server, "shop");
  const operator = await operatorOf(server);
  const jsm = await patientManager(await asRole(server, "operator"));
  return {
    node,
    shop,
    operator,
    ran,
    pause: async (queue = "mail") => {
      const before = changes;
      await operator.queues.pause(queue);
      await eventually(() => changes > before, {
        ...{ withinMs: 20_000, describe: "the node knows of the pause" },
      });
      await nobodyPulls(jsm, `millrace-queue-${queue}`);
    },
    open: gate.resolve,
    paid: () => ran.filter(({ queue, name }) => queue !== "mail" || !name.startsWith("mail.")),
    send: async (job, { subject = "millrace.jobs.mail", headers = {} } = {}) => {
      const head = newHeaders();
      for (const [name, value] of Object.entries(headers)) head.set(name, value);
      const body = typeof job === "string" ? job : JSON.stringify(job);
      const reply = await shop.request(subject, body, { timeout: 5_000, headers: head });
      return reply.json<Ack>();
    },
    end: async (id, queue = "mail") => {
      const last = await eventually(
        async () => {
          const record = (await operator.broker.history.read({ id, queue })).at(-1);
          return record === undefined || record.state === "requeued" ? undefined : record;
        },
        { withinMs: 20_000, describe: `${id} of ${queue} has ended` },
      );
      return last.reason === undefined ? last.state : `${last.state}: ${last.reason}`;
    },
  };
}
