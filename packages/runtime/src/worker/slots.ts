import type { Delivery } from "@millrace/core";
import { Execution, type ExecutionOwner } from "../execution/execution.ts";
import type { ExecutionHost } from "../execution/execution-host.ts";
import type { QueueLimits } from "../limits/queue/queue-limits.ts";

/**
 * So many times the slots may be on their way to wait at a gate. They take no slot, so that a
 * backlog of one key is passed over quickly, and another key's job behind it is found soon.
 */
const YIELDING_A_SLOT = 4;

/**
 * The jobs of one queue in a node's hands. A delivery takes a slot when it arrives and frees it
 * when its settlement is confirmed. An idle lane's standing pull may bring a job while no slot is
 * free; it waits in the broker's prefetch buffer and has the next one.
 */
export class Slots implements ExecutionOwner {
  readonly most: number;
  readonly #host: ExecutionHost;
  readonly #limits: QueueLimits;
  readonly #pull: () => void;
  readonly #executions = new Set<Execution>();
  /** Those of them that a gate has sent to wait, until that is settled. */
  readonly #yielding = new Set<Execution>();
  /** Those that only hand their job back. */
  readonly #goingBack = new Set<Execution>();
  /** Once true, what still arrives is handed back unspent instead of run. */
  #refusing = false;
  /** Jobs whose handler was called and that have left its hands. */
  ended = 0;
  #whenIdle: (() => void)[] = [];

  /** @param pull called when a slot is free */
  constructor(host: ExecutionHost, most: number, limits: QueueLimits, pull: () => void) {
    this.#host = host;
    this.most = most;
    this.#limits = limits;
    this.#pull = pull;
  }

  /** A delivery comes in: it begins now, or when there is memory for it. */
  take(delivery: Delivery): void {
    const execution = this.#receive(delivery);
    if (this.#refusing) refuse(execution);
    // A permit or a token that it was pulled with is gone.
    else if (!this.#limits.admit()) this.#sendBack(execution);
    this.#host.memory.enter(execution);
    this.#limits.changed();
  }

  /** One that the broker has no use for here: it goes straight back. */
  takeSurplus(delivery: Delivery): void {
    const execution = this.#receive(delivery);
    this.#sendBack(execution);
    this.#host.memory.enter(execution);
  }

  executionEnded(execution: Execution): void {
    this.#executions.delete(execution);
    this.#yielding.delete(execution);
    this.#host.memory.leave(execution);
    const wasLetIn = !this.#goingBack.delete(execution);
    if (execution.hasRun) this.ended += 1;
    else if (wasLetIn) this.#limits.putBack();
    this.#limits.changed();
    this.#pull();
    if (this.#executions.size > 0) return;
    const waiting = this.#whenIdle;
    if (waiting.length === 0) return;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }

  executionYields(execution: Execution): void {
    if (!this.#executions.has(execution)) return;
    this.#yielding.add(execution);
    this.#limits.changed();
    this.#pull();
  }

  #receive(delivery: Delivery): Execution {
    const execution = new Execution(this.#host, delivery, this);
    this.#executions.add(execution);
    return execution;
  }

  /** Unspent, for whoever has a slot free. */
  #sendBack(execution: Execution): void {
    this.#goingBack.add(execution);
    execution.goesBack = true;
  }

  /** Whatever becomes of them. */
  get all(): ReadonlySet<Execution> {
    return this.#executions;
  }

  /** Those that are to run or do. */
  get used(): number {
    return this.#inSlots - this.#goingBack.size;
  }

  /** How many more there are slots for. @param most as many as may be in hand now */
  free(most: number): number {
    return this.#refusing ? 0 : Math.max(0, Math.min(this.most, most) - this.#inSlots);
  }

  get #inSlots(): number {
    return this.#executions.size - Math.min(this.#yielding.size, this.most * YIELDING_A_SLOT);
  }

  /**
   * Whether an earlier delivery of the same message is in hand, and may still be settled here.
   */
  has(delivery: Delivery): boolean {
    for (const { delivery: earlier } of this.#executions) {
      if (earlier === delivery) return false;
      const isSame = earlier.message.sequence === delivery.message.sequence;
      if (isSame && earlier.lease.isHeld()) return true;
    }
    return false;
  }

  /** What arrives from now on goes straight back, and what waits for memory when its turn comes. */
  refuseMore(): void {
    this.#refusing = true;
    for (const execution of this.#executions) if (!execution.isRead) refuse(execution);
  }

  /** Resolves when nothing is in hand. */
  idle(): Promise<void> {
    if (this.#executions.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }
}

function refuse({ abort }: Execution): void {
  abort.abort("shutdown", "The node is stopping.");
}
