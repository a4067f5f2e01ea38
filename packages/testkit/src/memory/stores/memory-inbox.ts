import {
  type Clock,
  type HostOptions,
  type InboxBody,
  type InboxMessage,
  type InboxStore,
  type MachineBacklog,
  type MachineRef,
  MAX_EVENT_BYTES,
  MAX_WAITING_EVENTS,
  MillraceError,
  type Stoppable,
  type Timer,
  traceHeaders,
} from "@millrace/core";
import type { Connection } from "../connection.ts";

/** Who takes what comes to machines of one name. */
export interface MachineHost {
  readonly machine: string;
  /** Whether it can be given anything now. */
  readonly hasRoom: () => boolean;
  readonly take: (message: InboxMessage) => Promise<void>;
}

interface Kept {
  readonly storedAt: number;
  message: InboxMessage;
  /** Set while a host has it and has not answered yet, or while it rests. */
  given: Timer | undefined;
}

/** A host that was given it and doesn't answer counts as dead. */
const ANSWERS_WITHIN_MS = 10_000;
const AGAIN_AFTER_MS = 1_000;

/** What comes to all machines, shared by every connection. */
export class InboxShelf {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();
  readonly #ticks = new Map<string, { readonly number: number; readonly timer: Timer }>();
  #ticksAsked = 0;
  readonly #hosts: MachineHost[] = [];
  #sequence = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(
    { machine, id }: MachineRef,
    message: Pick<InboxMessage, "kind" | "data" | "eventId" | "headers">,
  ): void {
    const sequence = (this.#sequence += 1);
    const place = `inbox/${sequence}`;
    const data = message.data.slice();
    this.#kept.set(place, {
      storedAt: this.#clock.now(),
      message: { ...message, machine, id, sequence, place, data, isAgain: false },
      given: undefined,
    });
    this.give();
  }

  tick(to: MachineRef, data: Uint8Array, at: number): void {
    const key = `${to.machine}.${to.id}`;
    this.#ticks.get(key)?.timer.cancel();
    const timer = this.#clock.setTimer(Math.max(0, at - this.#clock.now()), () => {
      this.#ticks.delete(key);
      this.add(to, { kind: "tick", data });
    });
    this.#ticks.set(key, { number: (this.#ticksAsked += 1), timer });
  }

  /** How many ticks have been asked for. */
  get ticksAsked(): number {
    return this.#ticksAsked;
  }

  dropTicks({ machine, id }: MachineRef, until: number): void {
    const key = `${machine}.${id}`;
    const tick = this.#ticks.get(key);
    if (tick === undefined || tick.number > until) return;
    tick.timer.cancel();
    this.#ticks.delete(key);
  }

  next(of: MachineRef, from: number): InboxMessage | undefined {
    return this.#sent(of).find(({ sequence }) => sequence >= from);
  }

  waiting(of: MachineRef): number {
    return this.#sent(of).length;
  }

  backlogs(): readonly MachineBacklog[] {
    const found = new Map<string, MachineBacklog>();
    // In the order in which they were stored.
    for (const { message, storedAt } of this.#kept.values()) {
      const { machine } = message;
      const before = found.get(machine);
      const oldestAgeMs = before?.oldestAgeMs ?? this.#clock.now() - storedAt;
      found.set(machine, { machine, waiting: (before?.waiting ?? 0) + 1, oldestAgeMs });
    }
    return [...found.values()].toSorted((a, b) => (a.machine < b.machine ? -1 : 1));
  }

  has(place: string): boolean {
    return this.#kept.has(place);
  }

  /** How many messages and ticks there are. */
  get size(): number {
    return this.#kept.size;
  }

  join(host: MachineHost): void {
    this.#hosts.push(host);
    this.give();
  }

  leave(host: MachineHost): void {
    this.#hosts.splice(this.#hosts.indexOf(host), 1);
  }

  /** Hands out what nobody has, also when somebody is there again. */
  give(): void {
    for (const kept of this.#kept.values()) if (kept.given === undefined) this.#giveOne(kept);
  }

  #sent(of: MachineRef): readonly InboxMessage[] {
    return [...this.#kept.values()]
      .map(({ message }) => message)
      .filter(
        ({ machine, id, kind }) =>
          machine === of.machine && id === of.id && kind !== "end" && kind !== "tick",
      );
  }

  #giveOne(kept: Kept): void {
    const { message } = kept;
    // The one who has waited longest is next.
    const at = this.#hosts.findIndex((one) => one.machine === message.machine && one.hasRoom());
    const [host] = at < 0 ? [] : this.#hosts.splice(at, 1);
    if (host === undefined) return;
    this.#hosts.push(host);
    const rest = (delayMs: number): Timer =>
      this.#clock.setTimer(delayMs, () => {
        kept.given = undefined;
        if (this.#kept.has(message.place)) this.give();
      });
    const given = rest(ANSWERS_WITHIN_MS);
    kept.given = given;
    kept.message = { ...message, isAgain: true };
    void host.take(message).then(
      () => {
        kept.given?.cancel();
        this.#kept.delete(message.place);
      },
      () => {
        if (kept.given !== given) return;
        given.cancel();
        kept.given = rest(AGAIN_AFTER_MS);
      },
    );
  }
}

/** One connection's access to the shelf. */
export class MemoryInbox implements InboxStore {
  readonly #shelf: InboxShelf;
  readonly #connection: Connection;

  constructor(shelf: InboxShelf, connection: Connection) {
    this.#shelf = shelf;
    this.#connection = connection;
    connection.onStatus((status) => {
      if (status === "connected") shelf.give();
    });
  }

  async send(to: MachineRef, body: InboxBody): Promise<void> {
    this.#connection.reach();
    if (body.data.length > MAX_EVENT_BYTES)
      throw new MillraceError("payload-too-large", "The event is larger than one may be.");
    if (this.#shelf.waiting(to) >= MAX_WAITING_EVENTS)
      throw new MillraceError("queue-full", "As many events wait for this machine as may.");
    const { headers, ...rest } = body;
    const trace = traceHeaders(headers ?? {});
    this.#shelf.add(to, trace === undefined ? rest : { ...rest, headers: trace });
  }

  async tell(to: MachineRef, data: Uint8Array, headers?: InboxBody["headers"]): Promise<void> {
    this.#connection.reach();
    const trace = traceHeaders(headers ?? {});
    this.#shelf.add(to, {
      ...{ kind: "end", data },
      ...(trace === undefined ? {} : { headers: trace }),
    });
  }

  async tick(to: MachineRef, data: Uint8Array, at: number): Promise<void> {
    this.#connection.reach();
    this.#shelf.tick(to, data, at);
  }

  async ticksAsked(): Promise<number> {
    this.#connection.reach();
    return this.#shelf.ticksAsked;
  }

  async dropTicks(of: MachineRef, until: number): Promise<void> {
    this.#connection.reach();
    this.#shelf.dropTicks(of, until);
  }

  async next(of: MachineRef, from: number): Promise<InboxMessage | undefined> {
    this.#connection.reach();
    return this.#shelf.next(of, from);
  }

  async has(place: string): Promise<boolean> {
    this.#connection.reach();
    return this.#shelf.has(place);
  }

  async backlogs(): Promise<readonly MachineBacklog[]> {
    this.#connection.reach();
    return this.#shelf.backlogs();
  }

  async host(machine: string, { slots, take }: HostOptions): Promise<Stoppable> {
    this.#connection.reach();
    const taking = new Set<Promise<void>>();
    const host: MachineHost = {
      machine,
      hasRoom: () => this.#connection.isConnected && taking.size < slots,
      take: (message) => {
        const taken = take(message).finally(() => {
          taking.delete(taken);
          // There is room for another, once this one is off the shelf.
          queueMicrotask(() => this.#shelf.give());
        });
        taking.add(taken);
        return taken;
      },
    };
    this.#shelf.join(host);
    const place = this.#connection.attach(() => this.#shelf.leave(host));
    return {
      stop: async () => {
        await place.stop();
        await Promise.allSettled(taking);
      },
    };
  }
}
