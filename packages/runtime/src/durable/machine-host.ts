import {
  afterSentAgain,
  type Broker,
  type Clock,
  type InboxMessage,
  type Instrumentation,
  isUnfit,
  isUnsentFull,
  keepUnsent,
  lastResorts,
  type Logger,
  type MachineDefinition,
  type MachineDocument,
  machineKey,
  MAX_DEPTH,
  type MetricsCollector,
  MillraceError,
  ofThisVersion,
  type Producer,
  recordError,
  refuseStart,
  refuseStep,
  requireNotNewer,
  startMachine,
  stepMachine,
  type Stoppable,
} from "@millrace/core";
import { readSent } from "./end-message.ts";
import { HeldMachines, NoRoom } from "./held-machines.ts";
import { askedBy, occurrenceOf } from "./inbox-occurrence.ts";
import { MachineEffects } from "./machine-effects.ts";
import { MachineReports, outcomeOf } from "./machine-reports.ts";
import { type Known, MachineShelf, oldDocument, type Shelved } from "./machine-shelf.ts";
import { sizeOf } from "./machine-size.ts";
import { OneAtATime } from "./one-at-a-time.ts";
import { publishChart } from "./publish-chart.ts";
import { mayHaveReplaced } from "./tick-mark.ts";
import { traceTransition, transitionOf } from "./trace-transition.ts";

export interface MachineHostOptions {
  readonly broker: Broker;
  readonly producer: Pick<Producer, "enqueue">;
  readonly definition: MachineDefinition;
  /** The server's time, by which timers are reckoned. */
  readonly clock: Pick<Clock, "now" | "monotonic" | "setTimer">;
  readonly metrics: MetricsCollector;
  readonly node: string;
  readonly instrumentation: Instrumentation | undefined;
  readonly instrumentationFailed: (error: unknown) => void;
  readonly log: Logger;
}

/** Messages in hand at once. Each costs some requests and little processor time. */
const SLOTS = 64;
const UNREADABLE = `it is no JSON, nests deeper than ${MAX_DEPTH} levels or holds too many values`;
/** Of other hosts that write first. */
const MOST_CONFLICTS = 50;

/**
 * Takes what comes to the machines of one definition. That no event is lost or taken twice rests
 * on these rules:
 *
 * - A machine's document is written by compare-and-set, so of two hosts one is told to look again.
 * - Events are taken in the order of the inbox: before one is taken, those before it are looked for
 *   that another host may have in hand.
 * - What follows from a transition stands in the document, and is done once that is stored; the
 *   message it came of goes last. While that is there, whoever finds the document does it again.
 * - A message without effect is removed after a write, or after a read of a document that is at
 *   least as new as the message: a server that has not heard of the newest may answer a read.
 */
export class MachineHost implements Stoppable {
  readonly #options: MachineHostOptions;
  readonly #shelf: MachineShelf;
  readonly #effects: MachineEffects;
  readonly #reports: MachineReports;
  readonly #turns: OneAtATime;
  readonly #held: HeldMachines;
  #place: Stoppable | undefined;

  static async open(options: MachineHostOptions): Promise<MachineHost> {
    const host = new MachineHost(options, await MachineShelf.open(options.broker));
    host.#place = await options.broker.inbox.host(options.definition.name, {
      slots: SLOTS,
      take: (message) => host.#turns.run(machineKey(message), () => host.#take(message)),
    });
    const { broker, definition, log } = options;
    // Machines run without their picture.
    await publishChart(broker, definition).catch((error: unknown) =>
      log.warn(
        { machine: definition.name, error: recordError(error) },
        "a machine's chart can't be shown",
      ),
    );
    return host;
  }

  private constructor(options: MachineHostOptions, shelf: MachineShelf) {
    this.#options = options;
    this.#shelf = shelf;
    const { clock, log } = options;
    this.#held = new HeldMachines(clock);
    this.#turns = new OneAtATime({
      clock,
      onLong: (machine) =>
        log.warn({ machine }, "a machine's action goes on for long; what comes to it waits"),
    });
    this.#effects = new MachineEffects({ ...options, shelf });
    this.#reports = new MachineReports({ ...options, machine: options.definition.name });
  }

  async stop(): Promise<void> {
    await this.#place?.stop();
  }

  async #take(message: InboxMessage): Promise<void> {
    for (let conflicts = 0; ; conflicts += 1) {
      try {
        const { document } = await this.#takeOnce(message);
        // An event that was found on the way, before this one, is dropped when it is delivered.
        if (document === undefined) this.#reports.dropped(message);
        return;
      } catch (error) {
        this.#held.failed(message, error);
        if (!MillraceError.is(error, "revision-conflict")) throw error;
        this.#reports.conflict();
        if (conflicts >= MOST_CONFLICTS) throw error;
      }
    }
  }

  async #takeOnce(message: InboxMessage): Promise<Shelved> {
    let held = await this.#hold(message);
    if (message.kind === "end" || message.kind === "tick")
      held = await this.#newEnough(held, message);
    if (message.kind === "end" || message.kind === "tick") return this.#apply(held, message);
    const cursor = held.document?.cursor ?? 0;
    if (message.sequence <= cursor) return this.#passOver(held, message);
    let from = cursor + 1;
    for (;;) {
      const earlier = await this.#options.broker.inbox.next(message, from);
      // It does not find this one either where that is gone: another host has taken it since.
      if (earlier === undefined || earlier.sequence >= message.sequence) break;
      held = await this.#apply(held, earlier);
      from = earlier.sequence + 1;
    }
    return this.#apply(held, message);
  }

  /** A machine's document, all of whose effects are done. */
  async #hold(message: InboxMessage): Promise<Shelved> {
    return this.#held.get(message) ?? this.#read(message);
  }

  async #read(message: InboxMessage): Promise<Shelved> {
    const { inbox } = this.#options.broker;
    const found = await this.#shelf.read(message);
    const { document } = found;
    const mayBeUndone =
      document !== undefined &&
      document.pending.length > 0 &&
      (document.cause === message.place || (await inbox.has(document.cause)));
    if (mayBeUndone) requireNotNewer(this.#options.definition, document);
    const done = mayBeUndone ? await this.#carryOut(found, true) : found;
    this.#held.keep(done);
    return done;
  }

  /** @returns the document, with what could not be sent now in the next one */
  async #carryOut(stored: Shelved, again: boolean): Promise<Shelved> {
    const { clock, log } = this.#options;
    const refused = await this.#effects.carryOut(stored, again);
    const { document } = stored;
    if (document === undefined || refused.length === 0) return stored;
    if (document.unsent === undefined)
      log.warn(
        { machine: document.machine, id: document.id, to: refused[0]?.to },
        "a machine's event waits: there was no room for it, or it could not be sent",
      );
    const kept = keepUnsent(document, refused, clock.now());
    return this.#carryOut(await this.#shelf.write(kept, stored), false);
  }

  /**
   * A document that knows of a job's call, or of the timer that was asked for: what comes of them
   * would look like nobody's.
   */
  async #newEnough(held: Shelved, message: InboxMessage): Promise<Shelved> {
    const by = askedBy(message);
    const knows = ({ document }: Shelved): boolean =>
      by === undefined || document === undefined || (document.run === by.run && by.isIn(document));
    if (knows(held)) return held;
    const newest = await this.#read(message);
    // Of an earlier life, which is over.
    if (knows(newest) || newest.document?.run !== by?.run) return newest;
    throw oldDocument();
  }

  async #apply(held: Shelved, message: InboxMessage): Promise<Shelved> {
    const { definition, clock, log } = this.#options;
    const { machine, id } = message;
    const now = clock.now();
    const { document } = held;
    if (document === undefined && message.kind !== "start") {
      log.warn({ machine, id, kind: message.kind }, "nobody has started this machine");
      return this.#shelf.requireAbsent(message, held);
    }
    if (document === undefined) {
      const begun = this.#begin(message, now);
      return this.#storeOr(held, { message, now }, begun, (error) => [
        refuseStart(begun, error, now),
      ]);
    }
    const occurrence = occurrenceOf(message);
    const before = await this.#sentAgain({ ...held, document }, message, now);
    const next = stepMachine(definition, before.document, occurrence, now);
    if (next === undefined) return this.#passOver(before, message);
    if (isUnsentFull(before.document) && sendsMore(before.document, next))
      throw new NoRoom(before.document);
    if (next.trouble !== undefined && next.trouble !== document.trouble)
      log.warn({ machine, id, trouble: next.trouble }, "a machine could not take an event");
    return this.#storeOr(before, { message, now }, next, (error) => {
      // Nothing else could end it.
      if (message.kind === "stop") return lastResorts(next, error);
      const [kept, over] = refuseStep(before.document, occurrence, error, now);
      return [kept, over, ...lastResorts(over, error)];
    });
  }

  /** A machine whose input can't be read fails in its beginning: it would begin with another. */
  #begin({ machine, id, data, sequence, place }: InboxMessage, now: number): MachineDocument {
    const { value: input, why = UNREADABLE } = readSent(data);
    const { definition } = this.#options;
    const begun = startMachine(definition, { machine, id, input, sequence, place, now });
    if (input !== undefined || data.length === 0) return begun;
    const refusal = `The machine's input can't be read: ${why}.`;
    return refuseStart(begun, new MillraceError("invalid-message", refusal), now);
  }

  /** @param instead what is stored where the next document can't be: the first that can */
  async #storeOr(
    before: Shelved,
    taken: Taken,
    next: MachineDocument,
    instead: (error: unknown) => readonly MachineDocument[],
  ): Promise<Shelved> {
    const { broker, log } = this.#options;
    try {
      if (mustLeaveRoom(taken.message)) requireRoom(next, before.document, broker.maxMessageBytes);
      return await this.#store(before, taken, next);
    } catch (error) {
      if (!isUnfit(error)) throw error;
      // It may fit once those have gone.
      if (before.document?.unsent !== undefined) throw new NoRoom(before.document);
      const { machine, id } = next;
      log.warn({ machine, id, error: recordError(error) }, "a machine's state can't be stored");
      return this.#storeFirst(before, taken, instead(error));
    }
  }

  async #storeFirst(
    before: Shelved,
    taken: Taken,
    [first, ...smaller]: readonly MachineDocument[],
  ): Promise<Shelved> {
    if (first === undefined) return before;
    try {
      return await this.#store(before, taken, first);
    } catch (error) {
      if (smaller.length === 0 || !isUnfit(error)) throw error;
      return this.#storeFirst(before, taken, smaller);
    }
  }

  /** Sends what there was no room for once more, if it is time to, and stores how that went. */
  async #sentAgain(held: Known, { place: cause }: InboxMessage, now: number): Promise<Known> {
    const { document } = held;
    const { unsent } = document;
    if (unsent === undefined || unsent.at > now) return held;
    ofThisVersion(this.#options.definition, document);
    const refused = await this.#effects.sendAll(held, unsent.events);
    const next = afterSentAgain(document, refused, { cause, now });
    const stored = await this.#shelf.write(next, held);
    await this.#effects.carryOut(stored, false);
    this.#held.keep(stored);
    return stored;
  }

  /** Nothing comes of it, here. Whoever had it before may have died of what came of it there. */
  async #passOver(held: Shelved, message: InboxMessage): Promise<Shelved> {
    const { kind, isAgain } = message;
    if (kind !== "tick" || isAgain || mayHaveReplaced(held.document, message.data))
      await this.#effects.tickAgain(held, message);
    return held;
  }

  async #store(
    before: Shelved,
    { message, now }: Taken,
    document: MachineDocument,
  ): Promise<Shelved> {
    const { instrumentation, instrumentationFailed, node, clock } = this.#options;
    this.#held.forget(document);
    const stored = await this.#shelf.write(document, before);
    const outcome = outcomeOf(message, before.document, document);
    this.#reports.stored(message, before.document, document, outcome);
    let done: Shelved = stored;
    const effects = async (): Promise<void> => {
      done = await this.#carryOut(stored, false);
    };
    const taken = { message, tookMs: clock.now() - now, node };
    const transition =
      instrumentation?.transition && transitionOf(taken, before.document, document, outcome);
    if (instrumentation === undefined || transition === undefined) await effects();
    else await traceTransition(instrumentation, transition, effects, instrumentationFailed);
    this.#held.keep(done);
    return done;
  }
}

interface Taken {
  readonly message: InboxMessage;
  readonly now: number;
}

/** A timer or a job's end comes once: a machine that an older node stored larger needs it too. */
function mustLeaveRoom({ kind }: InboxMessage): boolean {
  return kind === "event" || kind === "start";
}

/**
 * The server takes some KiB more than a job may have: that is left for what refuses an event, for
 * an end, and for a machine that was stored larger and gets smaller.
 */
function requireRoom(
  next: MachineDocument,
  before: MachineDocument | undefined,
  mostBytes: number,
): void {
  const size = sizeOf(next);
  if (size > mostBytes && next.status === "active" && size >= sizeOf(before))
    throw new MillraceError(
      "payload-too-large",
      `What is to be stored of the machine takes ${size} bytes, and ${mostBytes} is the most. Keep less in its context.`,
    );
}

function sendsMore(before: MachineDocument, { unsent, pending }: MachineDocument): boolean {
  const kept = (unsent?.events.length ?? 0) > (before.unsent?.events.length ?? 0);
  return kept || pending.some((effect) => effect.do === "send");
}
