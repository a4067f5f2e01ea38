import {
  type AttemptTrace,
  type Delivery,
  type FinalState,
  type HistoryRecord,
  recordError,
  settle,
  type Settlement,
  type SettlementInput,
} from "@millrace/core";
import { completion } from "./completion.ts";
import type { Passes } from "../gates/passes.ts";
import type { ExecutionHost } from "./execution-host.ts";
import { Pause } from "./pause.ts";
import type { ProgressReporter } from "./progress-reporter.ts";
import { remedy } from "./remedy.ts";
import { reportSettled, reportTrouble } from "./report.ts";
import {
  followUp,
  hooksFor,
  type Settled,
  type SettlementHook,
  settleWithHooks,
} from "./settlement-hook.ts";
import { traceEndUnrun } from "./trace-attempt.ts";

/** What an execution leaves to its settling. */
export interface Estate {
  readonly host: ExecutionHost;
  readonly delivery: Delivery;
  readonly input: SettlementInput;
  /** Of a recalled job: what an earlier holder had recorded before it could ack. */
  readonly recorded: Pick<HistoryRecord, "state"> | undefined;
  /** Of an attempt that is traced; its end is told here. */
  readonly trace: AttemptTrace | undefined;
  /** Where the handler has reported its progress. */
  readonly progress: ProgressReporter | undefined;
  /** Where the job has passed gates. */
  readonly passes: Passes | undefined;
  /** It was a suspect, and its turn is on record. */
  readonly onTrial: boolean;
  readonly owner: SettlingOwner;
}

/** Called as an object, not by closures: a node settles some ten thousand jobs a second. */
export interface SettlingOwner {
  /** The broker has confirmed it all, or the lease is gone. */
  settlingCarriedOut(state: FinalState): void;
  /** Nothing is left to do. Not called where it was abandoned. */
  settlingEnded(): void;
}

/**
 * From an outcome to the end of an execution: has the broker carry the settlement out, until it has confirmed it all or the lease is gone and the
 * job is somebody else's to settle; then tells the rest of the world, and lets go of what the job held.
 */
export class Settling {
  readonly #estate: Estate;
  #input: SettlementInput;
  #settlement: Settlement;
  #pause: Pause | undefined;
  #abandoned = false;
  /** Of a recalled job: it is known what is left to be done. */
  #completed = false;

  constructor(estate: Estate, settlement: Settlement) {
    this.#estate = estate;
    this.#input = estate.input;
    this.#settlement = settlement;
  }

  /** Never rejects. One async function where nothing goes wrong and nothing is held: it runs for every job. */
  async run(): Promise<void> {
    const { host, delivery, input, trace, owner } = this.#estate;
    if (trace !== undefined) this.#settlement = trace.settling(input, this.#settlement);
    for (let tries = 0; !this.#abandoned; tries += 1) {
      if (!delivery.lease.isHeld())
        this.#settlement = settle({ ...input, outcome: { kind: "lease-lost" } });
      // With a lost lease there is nothing to carry out and nothing to let go.
      if (this.#settlement.steps.length === 0) break;
      try {
        if (this.#settlement.state === "recalled" && !this.#completed) await this.#complete();
        const hooks = hooksFor(host.hooks, input.envelope, this.#settlement);
        if (hooks.length === 0) await host.broker.settle(delivery, this.#settlement.steps);
        else await this.#withHooks(hooks);
        break;
      } catch (error) {
        const other = this.#remedy(error);
        if (other !== undefined) this.#settlement = trace?.settling(input, other) ?? other;
        else await this.#troubled(error, tries);
      }
    }
    if (this.#abandoned) return;
    owner.settlingCarriedOut(this.#settlement.state);
    this.#report();
    const letting = this.#letGo();
    if (letting !== undefined) await letting;
    owner.settlingEnded();
  }

  /** The node has stopped: nothing more is tried. */
  abandon(): void {
    this.#abandoned = true;
    this.cutShort();
  }

  /** The lease is gone: there is nothing more to wait for. */
  cutShort(): void {
    this.#pause?.cutShort();
  }

  /** What an earlier holder may have left undone behind its record. */
  async #complete(): Promise<void> {
    const { host, recorded } = this.#estate;
    this.#input = await completion(host.broker, this.#input, recorded);
    this.#settlement = settle(this.#input);
    this.#completed = true;
  }

  #remedy(error: unknown): Settlement | undefined {
    const { host, delivery } = this.#estate;
    const settlement = this.#settlement;
    // Steps are confirmed in their order, and hooks come before the ack.
    const step = settlement.steps.find(
      (one) => one.do !== "ack" && delivery.confirmed?.includes(one) !== true,
    );
    return remedy({ error, settlement, step }, this.#input, host.clock.now());
  }

  /** What the hooks publish belongs to the attempt that was the last of its batch. */
  #withHooks(hooks: readonly SettlementHook[]): Promise<void> {
    const { host, delivery, trace } = this.#estate;
    const carryOut = (): Promise<void> =>
      settleWithHooks(host.broker, delivery, hooks, this.#settled());
    return trace === undefined ? carryOut() : trace.run(carryOut);
  }

  /** The broker could not be asked: waits before it is asked again. */
  async #troubled(error: unknown, tries: number): Promise<void> {
    const { host, delivery, input, trace } = this.#estate;
    reportTrouble(host, input.envelope, error, trace);
    if (this.#abandoned || !delivery.lease.isHeld()) return;
    this.#pause ??= new Pause(host.clock);
    await this.#pause.wait(tries);
  }

  #report(): void {
    const { host, input, trace } = this.#estate;
    reportSettled(host, input, this.#settlement, trace?.traceId);
    if (trace !== undefined) trace.settled(input, this.#settlement);
    else if (host.instrumentation !== undefined)
      traceEndUnrun(host, host.instrumentation, input, this.#settlement);
  }

  /** @returns undefined where the job held nothing and nothing follows it */
  #letGo(): Promise<void> | undefined {
    const { host, input, progress, passes, onTrial } = this.#estate;
    const hooks =
      this.#settlement.state === "abandoned"
        ? []
        : hooksFor(host.hooks, input.envelope, this.#settlement);
    if (!onTrial && progress === undefined && hooks.length === 0)
      return passes?.leave(this.#settlement);
    return this.#letAllGo(hooks);
  }

  async #letAllGo(hooks: readonly SettlementHook[]): Promise<void> {
    const { host, progress, passes, onTrial } = this.#estate;
    const { state } = this.#settlement;
    if (onTrial && state !== "abandoned") await this.#endTrial();
    if (progress !== undefined && state !== "requeued" && state !== "abandoned")
      await progress.forget();
    if (hooks.length > 0) await followUp(hooks, this.#settled(), host.log);
    await passes?.leave(this.#settlement);
  }

  /** Not for an abandoned job: it is another's to settle, and its note may be of use there. */
  async #endTrial(): Promise<void> {
    const { host, input } = this.#estate;
    try {
      await host.trials.over(input.envelope);
    } catch (error) {
      host.log.debug(
        { job: input.envelope.id, error: recordError(error) },
        "the note of a suspect's run stays behind",
      );
    }
  }

  #settled(): Settled {
    const { delivery, input, recorded } = this.#estate;
    const { envelope, message } = input;
    const { lease } = delivery;
    return { envelope, message, settlement: this.#settlement, recorded, lease };
  }
}
