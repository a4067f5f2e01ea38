import {
  type Broker,
  type Clock,
  type InboxMessage,
  type Logger,
  type MachineDefinition,
  type MachineDocument,
  type MachineEffect,
  machineKey,
  MillraceError,
  nextTimerAt,
  type Producer,
  recordError,
  type SentEvent,
  tickTime,
  wasEnqueuedSince,
} from "@millrace/core";
import { type AnyActor, createActor } from "xstate";
import { cancelJob } from "../control/cancel-job.ts";
import { refusalMessage, writeJson } from "./end-message.ts";
import { type MachineShelf, oldDocument, type Shelved } from "./machine-shelf.ts";
import { askedAgain, type TickMark } from "./tick-mark.ts";

export interface MachineEffectsOptions {
  readonly broker: Pick<
    Broker,
    "blocked" | "delayed" | "documents" | "findWaiting" | "history" | "inbox" | "queues"
  >;
  readonly clock: Pick<Clock, "now">;
  readonly producer: Pick<Producer, "enqueue">;
  readonly shelf: Pick<MachineShelf, "read">;
  readonly definition: MachineDefinition;
  readonly log: Logger;
}

type Of<Do extends MachineEffect["do"]> = Extract<MachineEffect, { readonly do: Do }>;

/** What no other try changes: the machine is told, as of a job that has failed. */
const HOPELESS = [
  ...["invalid-payload", "unserializable-payload", "payload-too-large", "invalid-option"],
  ...["invalid-name", "already-expired"],
] as const;
/** Far from the time for which a machine remembers what others have sent it. */
const LATE_MS = 60_000;
/** Before that, a host that goes on as usual has asked for what follows from its document. */
const MAYBE_LATE_MS = 500;
/** Writers that come after one another while a timer is asked for. */
const MOST_WRITERS = 100;

/** Does what a stored document says is still to be done. */
export class MachineEffects {
  readonly #options: MachineEffectsOptions;
  /** What an own action sees as `self`: it was never started. */
  #self: AnyActor | undefined;

  constructor(options: MachineEffectsOptions) {
    this.#options = options;
  }

  /**
   * @param again whether another may have done it before
   * @returns the events that another machine's inbox had no room for
   * @throws MillraceError where something could not be done now
   */
  async carryOut(shelved: Shelved, again: boolean): Promise<readonly SentEvent[]> {
    const { document } = shelved;
    const sends: SentEvent[] = [];
    if (document === undefined) return sends;
    for (const effect of document.pending) {
      if (effect.do === "enqueue") await this.#enqueue(shelved, effect, again);
      else if (effect.do === "send") sends.push(effect);
      else if (effect.do === "cancel") await this.#cancel(shelved, effect);
      else if (effect.do === "tick") await this.#tick(shelved, effect.at);
      else if (effect.do === "act") await this.#act(document, effect);
      else this.#log(document, effect);
    }
    return this.sendAll(shelved, sends);
  }

  /**
   * In their order: what is for a machine that has no room is not overtaken.
   *
   * @returns those that were refused, and those that could not be sent after others were: whoever
   *   stores them doesn't send those others again
   * @throws MillraceError where none could be sent
   */
  async sendAll(shelved: Shelved, events: readonly SentEvent[]): Promise<readonly SentEvent[]> {
    const refused: SentEvent[] = [];
    const full = new Set<string>();
    for (const [at, event] of events.entries()) {
      const to = machineKey(event.to);
      try {
        if (!full.has(to) && (await this.#send(shelved, event))) continue;
      } catch (error) {
        const rest = [...refused, ...events.slice(at)];
        const isOld = MillraceError.is(error, "conflict");
        if (isOld || rest.length === events.length) throw error;
        const of = { machine: shelved.document?.machine, id: shelved.document?.id, to: event.to };
        const fields = { ...of, error: recordError(error) };
        this.#options.log.warn(fields, "a machine's event could not be sent now");
        return rest;
      }
      full.add(to);
      refused.push(event);
    }
    return refused;
  }

  /**
   * Asks once more for the tick that is under way: a host that died while it asked for its own may
   * have taken that one's place.
   *
   * @param because what has come that shows it
   */
  async tickAgain(shelved: Shelved, because: InboxMessage): Promise<void> {
    const { status, tickAt, unsent } = shelved.document ?? {};
    if ((status === "active" || unsent !== undefined) && tickAt !== undefined)
      await this.#tick(shelved, tickAt, askedAgain(because));
  }

  /**
   * A queue forgets ids: where it may have been enqueued long ago, it is looked for. Otherwise it
   * is not: its id was made for it, and another job that bears it is not this one. A host that
   * stood still since it wrote leaves it to whoever went on with the machine.
   *
   * Its queue is the one that stands in the document, where it is cancelled too: the definition may
   * have had another since.
   */
  async #enqueue(shelved: Shelved, effect: Of<"enqueue">, again: boolean): Promise<void> {
    const { document } = shelved;
    if (document === undefined || (await this.#isOvertaken(shelved))) return;
    const { broker, producer, definition } = this.#options;
    const job = definition.jobs[effect.src];
    const id = effect.job;
    try {
      if (job === undefined)
        throw new MillraceError("invalid-option", `The chart has no actor ${effect.src} any more.`);
      const { queue } = document.children[effect.actor] ?? job;
      const mayBeThere = again || (await this.#isForgotten(document, queue));
      if (mayBeThere && (await wasEnqueuedSince(broker, { id, queue }, document.changedAt))) return;
      const enqueued = await producer.enqueue({ ...job, queue }, effect.input, { id, once: false });
      if (enqueued.id === id) return;
      await this.#refuse(
        document,
        id,
        new MillraceError("unique-conflict", `The job ${enqueued.id} has its unique key.`),
      );
    } catch (error) {
      if (!HOPELESS.some((code) => MillraceError.is(error, code))) throw error;
      await this.#refuse(document, id, error);
    }
  }

  /** Whether another host has gone on with the machine, while this one stood still. */
  async #isOvertaken({ document, revision }: Shelved): Promise<boolean> {
    if (document === undefined) return true;
    if (this.#lateMs(document) < MAYBE_LATE_MS) return false;
    return (await this.#newest(document, revision)).revision !== revision;
  }

  /** Whether a queue may have forgotten the id of a job that another host has enqueued since. */
  async #isForgotten(document: MachineDocument, queue: string): Promise<boolean> {
    const late = this.#lateMs(document);
    if (late < MAYBE_LATE_MS || late > LATE_MS) return late > LATE_MS;
    try {
      const { dedupeWindowMs = LATE_MS } = await this.#options.broker.queues.settings(queue);
      return late > dedupeWindowMs / 2;
    } catch (error) {
      if (MillraceError.is(error, "queue-not-found")) return false;
      throw error;
    }
  }

  #lateMs({ changedAt }: MachineDocument): number {
    return this.#options.clock.now() - changedAt;
  }

  #refuse(document: MachineDocument, job: string, error: unknown): Promise<void> {
    return this.#options.broker.inbox.tell(document, refusalMessage(job, recordError(error)));
  }

  /**
   * Its id tells whoever takes it that it was sent before. A host that comes so late that this may
   * be forgotten leaves it to the host that went on with the machine.
   *
   * @returns false where there is no room for it
   */
  async #send({ document, revision }: Shelved, { to, event, id }: SentEvent): Promise<boolean> {
    const { broker, log } = this.#options;
    if (document === undefined) return true;
    const isLate = this.#lateMs(document) > LATE_MS;
    if (isLate && (await this.#newest(document, revision)).revision !== revision) return true;
    try {
      await broker.inbox.send(to, { kind: "event", data: writeJson(event), eventId: id });
    } catch (error) {
      if (MillraceError.is(error, "queue-full")) return false;
      if (!MillraceError.is(error, "permission-denied")) throw error;
      const from = { machine: document.machine, id: document.id };
      log.error({ ...from, to, error: recordError(error) }, "a machine may not send an event");
    }
    return true;
  }

  /** Its end is not heard any more: where it has ended meanwhile, nothing happens. */
  async #cancel(shelved: Shelved, { job, queue }: Of<"cancel">): Promise<void> {
    const { broker, clock } = this.#options;
    const { document } = shelved;
    if (document === undefined || (await this.#isOvertaken(shelved))) return;
    const { machine, id } = document;
    const reason = `The machine ${machine} ${id} has left the state that invoked it.`;
    await cancelJob(broker, { id: job, queue }, reason, clock.now());
  }

  /**
   * One tick is kept for a machine. If two hosts ask at once, the last one may ask for the later
   * time. So each looks, once it has asked, whether there is a newer document, and then asks for
   * that document's time.
   */
  async #tick(
    shelved: Shelved,
    at: number,
    how: Omit<TickMark, "run" | "rev"> = {},
  ): Promise<void> {
    const { broker, clock } = this.#options;
    let [mine, wanted]: [Shelved, number | undefined] = [shelved, at];
    for (let writers = 0; writers < MOST_WRITERS; writers += 1) {
      const { document } = mine;
      if (document === undefined || wanted === undefined) return;
      const { run, rev } = document;
      const tick: TickMark = { run, rev, ...how };
      await broker.inbox.tick(document, writeJson(tick), tickTime(wanted, clock.now()));
      const newest = await this.#newest(document, mine.revision);
      if (newest.revision === mine.revision || newest.document === undefined) return;
      mine = newest;
      wanted = newest.document.tickAt ?? nextTimerAt(newest.document);
    }
  }

  /** @throws MillraceError `conflict` where an older document is read: it knows of no newer one */
  async #newest(of: MachineDocument, revision: number): Promise<Shelved> {
    const found = await this.#options.shelf.read(of);
    if (found.document === undefined || found.revision >= revision) return found;
    throw oldDocument();
  }

  /**
   * An action of the chart's own fails alone: the transition is stored. Each has a copy of its own
   * of the context, as the next event starts from that. Its parameters and its event are nobody
   * else's: the document is as it was read back, where nothing stands in two places.
   */
  async #act(document: MachineDocument, { action, params, event }: Of<"act">): Promise<void> {
    const { definition, log } = this.#options;
    const self = (this.#self ??= createActor(definition.inert) as AnyActor);
    const run = definition.inert.implementations.actions[action] as unknown;
    try {
      if (typeof run !== "function") throw new TypeError(`The chart has no action ${action}.`);
      await (run as (...given: unknown[]) => unknown)(
        { context: structuredClone(document.context), event, self, system: self.system },
        params,
      );
    } catch (error) {
      const { machine, id } = document;
      log.error({ machine, id, action, error: recordError(error) }, "a machine's action threw");
    }
  }

  #log({ machine, id }: MachineDocument, { label, value }: Of<"log">): void {
    this.#options.log.info({ machine, id, value }, label ?? "a machine logs");
  }
}
