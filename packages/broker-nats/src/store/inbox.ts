import {
  type HostOptions,
  type InboxBody,
  type InboxMessage,
  type InboxStore,
  type MachineBacklog,
  type MachineRef,
  MillraceError,
  type Stoppable,
  traceHeaders,
} from "@millrace/core";
import type { ServerFeatures } from "../connection/server-features.ts";
import { request } from "../jetstream-errors.ts";
import { machineOf } from "../machine/machine.ts";
import { postponeMs, scheduleHeaders } from "../messages/delayed-message.ts";
import { dueHeaders, inboxHeaders, readInboxMessage } from "../messages/inbox-message.ts";
import type { ConfirmedPublisher } from "../publish/confirmed-publisher.ts";
import { againBehindBarrier } from "../reads/behind-barrier.ts";
import { machineBacklogs } from "./machine-backlogs.ts";
import { headersOf, messageAt, nextMessage } from "../reads/next-message.ts";
import { ensureStream } from "../topology/ensure-stream.ts";
import { scheduleDoor } from "../topology/stream-doors.ts";
import { inboxStream, timerStream } from "../topology/streams.ts";
import { InboxHost } from "./inbox-host.ts";
import type { ServerAccess } from "./server-access.ts";

export interface NatsInboxOptions {
  readonly server: ServerAccess;
  readonly publisher: ConfirmedPublisher;
  readonly replicas: number;
  /** What the server can do that is connected now. */
  readonly features: () => ServerFeatures;
  readonly onProblem: (error: unknown, doing: string) => void;
}

/**
 * What comes to durable machines: a subject a machine and door. What is sent to them lies in one
 * stream, their timers in another. Those are the server's schedules where it has them; else the
 * tick is published at once, and whoever gets it gives it back until its time, as delayed jobs are.
 */
export class NatsInbox implements InboxStore {
  readonly #options: NatsInboxOptions;
  #made: Promise<{ readonly schedules: boolean }> | undefined;

  constructor(options: NatsInboxOptions) {
    this.#options = options;
  }

  /** The server is another one: what it can do is looked at again. */
  forget(): void {
    this.#made = undefined;
  }

  async send(to: MachineRef, body: InboxBody): Promise<void> {
    const { names } = this.#options.server;
    await this.#publish(names.toMachine("inbox", to), body.data, inboxHeaders(body));
  }

  async tell(to: MachineRef, data: Uint8Array, headers?: InboxBody["headers"]): Promise<void> {
    const { names } = this.#options.server;
    await this.#publish(names.toMachine("mend", to), data, traceHeaders(headers ?? {}) ?? {});
  }

  async tick(to: MachineRef, data: Uint8Array, at: number): Promise<void> {
    const { nc, names } = this.#options.server;
    const { schedules } = await this.#ensure();
    const target = names.toMachine("mtick", to);
    const isFar = postponeMs(at, machineOf(nc).clock.now()) > 0;
    if (schedules && isFar)
      await this.#publish(names.toMachine("mtimer", to), data, {
        ...dueHeaders(at),
        ...scheduleHeaders(at, target),
      });
    else await this.#publish(target, data, dueHeaders(at));
  }

  async ticksAsked(): Promise<number> {
    const { jsm, names } = this.#options.server;
    await this.#ensure();
    return request("look how far timers have come", async () => {
      const { state } = await jsm.streams.info(names.timerStream);
      return state.last_seq;
    });
  }

  async dropTicks(of: MachineRef, until: number): Promise<void> {
    const { jsm, names } = this.#options.server;
    for (const door of ["mtimer", "mtick"] as const)
      await request(`forget timers of the machine ${of.id}`, () =>
        jsm.streams.purge(names.timerStream, {
          ...{ filter: names.toMachine(door, of), seq: until + 1 },
        }),
      );
  }

  async next(of: MachineRef, from: number): Promise<InboxMessage | undefined> {
    const { server } = this.#options;
    const { jsm, names } = server;
    // Whoever finds nothing goes on, and what came before is passed over from then on.
    const stored = await againBehindBarrier(server, names.inboxStream, () =>
      request(`look for events of the machine ${of.id}`, () =>
        nextMessage(jsm, names.inboxStream, from, names.toMachine("inbox", of)),
      ),
    );
    return (
      stored &&
      readInboxMessage(names, {
        ...{ subject: stored.subject, sequence: stored.seq, data: stored.data, isAgain: false },
        headers: headersOf(stored),
      })
    );
  }

  async has(place: string): Promise<boolean> {
    const { server } = this.#options;
    const { jsm, names } = server;
    const [from, sequence] = place.split("/");
    const stream = from === "timers" ? names.timerStream : names.inboxStream;
    // What comes of a message that is gone counts as done.
    const stored = await againBehindBarrier(server, stream, () =>
      request("look for what came to a machine", () => messageAt(jsm, stream, Number(sequence))),
    );
    return stored !== undefined;
  }

  backlogs(): Promise<readonly MachineBacklog[]> {
    const { jsm, names } = this.#options.server;
    return machineBacklogs(jsm, names);
  }

  async host(machine: string, options: HostOptions): Promise<Stoppable> {
    const { server, onProblem } = this.#options;
    const { schedules } = await this.#ensure();
    const remake = async (): Promise<void> => {
      this.forget();
      await this.#ensure();
    };
    const place = { ...options, machine, server, remake, onProblem, givesBack: !schedules };
    const [inbox, timers] = await Promise.all([
      InboxHost.start({ ...place, from: "inbox" }),
      InboxHost.start({ ...place, from: "timers" }),
    ]);
    return {
      stop: async () => {
        await Promise.all([inbox.stop(), timers.stop()]);
      },
    };
  }

  async #publish(
    subject: string,
    data: Uint8Array,
    headers: Readonly<Record<string, string>>,
  ): Promise<void> {
    await this.#ensure();
    try {
      await this.#options.publisher.publish(subject, data, headers);
    } catch (error) {
      if (MillraceError.is(error, "queue-not-found")) this.forget();
      throw error;
    }
  }

  #ensure(): Promise<{ readonly schedules: boolean }> {
    this.#made ??= this.#make().catch((error: unknown) => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  async #make(): Promise<{ readonly schedules: boolean }> {
    const { server, replicas, features } = this.#options;
    const served = features();
    const door = scheduleDoor(server.nc, served);
    await ensureStream(server, inboxStream(server.names, replicas));
    const config = await ensureStream(server, timerStream(server.names, door, replicas));
    return { schedules: served.schedules && config.allow_msg_schedules === true };
  }
}
