import {
  LANE_NAMES,
  type LaneName,
  LaneTurns,
  type LaneWeights,
  type MillraceError,
} from "@millrace/core";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Delivery as RawDelivery } from "../pull/delivery.ts";
import { type Pull, PullSubscription } from "../pull/pull-subscription.ts";
import { LANE_CONSUMERS } from "../topology/subjects.ts";
import { Deck } from "./deck.ts";
import { Fullness } from "./fullness.ts";
import { contends, type LaneState, planPull } from "./lane-plan.ts";
import type { NatsDelivery } from "./nats-delivery.ts";

export interface LanePullsOptions {
  readonly nc: NatsConnection;
  readonly stream: string;
  readonly weights: LaneWeights;
  readonly expiresMs: number;
  readonly freeSlots: () => number;
  /** Takes out the lease. */
  readonly receive: (raw: RawDelivery) => NatsDelivery;
  /** Gives a job to the worker: it occupies a slot from then on. */
  readonly hand: (delivery: NatsDelivery) => void;
  /** Gives one to the worker that it must hand back. */
  readonly handSurplus: ((delivery: NatsDelivery) => void) | undefined;
  readonly onConsumerMissing: () => Promise<void>;
  readonly onProblem: (error: MillraceError) => void;
}

/** One lane. `state` and `dealt` are written by `LanePulls` alone. */
interface Seat {
  readonly name: LaneName;
  readonly pull: PullSubscription;
  state: LaneState;
  /** Slots it may ask for, and has not yet. */
  dealt: number;
}

/** All slots taken for so long: then other nodes should get what comes, and the pulls of idle lanes are taken back. */
const LASTING_MS = 50;
/** The normal lane shows soon whether the server is there; the others need not say it as often. */
const HEARTBEATS_MS: Readonly<Record<LaneName, number>> = {
  high: 5_000,
  normal: 2_000,
  low: 5_000,
};

/**
 * The three lanes of a queue, pulled from side by side for one worker's slots.
 *
 * What each lane asks for is `planPull`'s to say, from what is known of it: idle lanes have one job asked for, the one busy lane has all
 * slots, and lanes that contend are dealt the free slots by their weights. While any lane contends, an idle lane asks for its next one when
 * its turn has come, so that a trickle of low jobs can't outrun its weight.
 *
 * A job that meets no free slot goes on deck: there it has the next one.
 */
export class LanePulls {
  readonly #options: LanePullsOptions;
  readonly #turns: LaneTurns;
  readonly #seats: readonly Seat[];
  readonly #deck: Deck;
  readonly #fullness: Fullness;
  /** Lanes that contend. */
  #contenders = 0;
  #due: NodeJS.Immediate | undefined;
  /** What arrives while stopping, kept until no pull is left: a job that is handed back sooner would come straight back. */
  #late: NatsDelivery[] | undefined;

  constructor(options: LanePullsOptions) {
    const { handSurplus } = options;
    this.#options = options;
    this.#turns = new LaneTurns(options.weights);
    this.#fullness = new Fullness(LASTING_MS, () => this.#lastingFull());
    this.#deck = new Deck(
      handSurplus === undefined
        ? undefined
        : (delivery, lane) => {
            // Other nodes should have what else comes; a turn will ask again.
            this.#doubt(this.#seat(lane));
            handSurplus(delivery);
          },
    );
    this.#seats = LANE_NAMES.map((name) => this.#open(name));
    this.#contenders = this.#seats.length;
    this.#share();
  }

  get lastActivityMs(): number {
    return Math.max(...this.#seats.map(({ pull }) => pull.lastActivityMs));
  }

  slotFreed(): void {
    this.#fullness.free();
    if (this.#deck.size > 0) this.#drainDeck();
    if (this.#contenders > 1) return this.#shareSoon();
    for (const seat of this.#seats) {
      if (seat.state === "unknown") this.#shareSoon();
      else if (seat.state !== "cold" && this.#contenders <= (seat.state === "backlog" ? 1 : 0))
        seat.pull.slotFreed();
      else if (seat.pull.outstanding === 0) this.#shareSoon();
    }
  }

  async pause(): Promise<void> {
    await Promise.all(this.#seats.map(({ pull }) => pull.pause()));
  }

  resume(): void {
    for (const { pull } of this.#seats) pull.resume();
    this.#shareSoon();
  }

  /** Resolves when nothing can arrive any more; what arrived meanwhile, or was on deck, has been handed over by then. */
  async stop(): Promise<void> {
    this.#late = [];
    await Promise.all(this.#seats.map(({ pull }) => pull.stop()));
    clearImmediate(this.#due);
    this.#fullness.close();
    const left = [...this.#deck.clear(), ...this.#late];
    this.#late = undefined;
    for (const delivery of left) this.#options.hand(delivery);
  }

  #open(name: LaneName): Seat {
    const { nc, stream, expiresMs, onConsumerMissing, onProblem } = this.#options;
    // The first plan is asked for before there is a seat; the first share makes up for it.
    let seat: Seat | undefined;
    const pull = new PullSubscription({
      nc,
      stream,
      consumer: LANE_CONSUMERS[name],
      expiresMs,
      heartbeatMs: HEARTBEATS_MS[name],
      freeSlots: () => this.#free(),
      plan: () => (seat === undefined ? undefined : this.#plan(seat)),
      onMessage: (raw) => {
        if (seat !== undefined) this.#receive(seat, raw);
      },
      onRanDry: () => {
        if (seat !== undefined) this.#become(seat, "cold");
      },
      onConsumerMissing,
      onProblem,
    });
    seat = { name, pull, state: "unknown", dealt: 0 };
    return seat;
  }

  #seat(lane: LaneName): Seat {
    return this.#seats[LANE_NAMES.indexOf(lane)] as Seat;
  }

  #free(): number {
    return this.#options.freeSlots() - this.#deck.size;
  }

  #plan(seat: Seat): Pull | undefined {
    const { state, dealt } = seat;
    const { outstanding } = seat.pull;
    const free = this.#free();
    const rivals = this.#rivalsOf(seat);
    const pull = planPull({
      state,
      outstanding,
      dealt,
      free,
      rivals,
      otherAskedForMore:
        state === "warm" &&
        this.#seats.some((other) => other !== seat && other.pull.outstanding > 1),
    });
    if (pull !== undefined) seat.dealt = 0;
    else if (free > 0 && outstanding + dealt === 0) this.#shareSoon();
    return pull;
  }

  #rivalsOf({ state }: Seat): number {
    return this.#contenders - (contends(state) ? 1 : 0);
  }

  #receive(seat: Seat, raw: RawDelivery): void {
    this.#become(seat, raw.pending > 0 ? "backlog" : "warm");
    const { freeSlots, hand, receive } = this.#options;
    const delivery = receive(raw);
    if (this.#late !== undefined) {
      this.#late.push(delivery);
      return;
    }
    const free = freeSlots();
    if (this.#deck.size === 0 && free > 0) hand(delivery);
    else this.#deck.put(seat.name, delivery);
    if (free <= 1) this.#fullness.full();
  }

  #become(seat: Seat, state: LaneState): void {
    if (seat.state === state) return;
    const rivals = this.#rivalsOf(seat);
    seat.state = state;
    seat.dealt = 0;
    this.#contenders = rivals + (contends(state) ? 1 : 0);
    // Alone it is served by its own plan, which follows; but others may have waited for their turns.
    if (rivals > 0 || this.#seats.some((other) => other !== seat && other.pull.outstanding === 0))
      this.#shareSoon();
  }

  #drainDeck(): void {
    for (const lane of LANE_NAMES) {
      while (this.#deck.has(lane) && this.#options.freeSlots() > 0) {
        const delivery = this.#deck.take(lane);
        if (delivery !== undefined) this.#options.hand(delivery);
      }
    }
    if (this.#options.freeSlots() <= 0) this.#fullness.full();
  }

  /** Nobody knows what waits in a lane that was not asked for so long; and nobody else gets what this node has asked for. */
  #lastingFull(): void {
    // A slot may have been freed within the very call that took it.
    if (this.#free() > 0) return this.#fullness.free();
    for (const seat of this.#seats) this.#doubt(seat);
  }

  #doubt(seat: Seat): void {
    seat.pull.withdraw();
    seat.dealt = 0;
    if (seat.state !== "backlog") this.#become(seat, "unknown");
  }

  #shareSoon(): void {
    this.#due ??= setImmediate(() => this.#share());
  }

  /** Deals the free slots to the lanes that contend, and lets the others ask for one when it is their turn. */
  #share(): void {
    this.#due = undefined;
    if (this.#free() < 1) return;
    const contenders = this.#seats.filter(({ state }) => contends(state));
    const idle = this.#seats.filter((seat) => !contends(seat.state) && seat.pull.outstanding === 0);
    if (contenders.length === 0) for (const { pull } of idle) pull.refill();
    else if (contenders.length === 1 && contenders[0]?.state === "backlog")
      this.#shareWithOne(contenders[0], idle);
    else this.#deal(new Set(contenders), new Set(idle));
  }

  /** It takes all slots by its own plan; for each that it takes the others have a turn. */
  #shareWithOne(busy: Seat, idle: readonly Seat[]): void {
    const waiting = new Set(idle);
    const turns = Math.max(1, this.#free() - busy.pull.outstanding);
    for (let turn = 0; turn < turns && waiting.size > 0; turn += 1) {
      const next = this.#next([busy, ...waiting]);
      if (waiting.delete(next)) this.#letAsk(next);
    }
    busy.pull.refill();
  }

  #deal(contenders: Set<Seat>, waiting: Set<Seat>): void {
    while (contenders.size > 0) {
      let missing = this.#free();
      for (const { pull, dealt } of this.#seats.filter(({ state }) => contends(state)))
        missing -= pull.outstanding + dealt;
      while (missing > 0) {
        const next = this.#next([...contenders, ...waiting]);
        if (waiting.delete(next)) this.#letAsk(next);
        else {
          next.dealt += 1;
          missing -= 1;
        }
      }
      // One that can't ask at the moment, after a fault, leaves its slots to the others.
      const stuck = [...contenders].filter((seat) => !this.#asks(seat));
      if (stuck.length === 0) return;
      for (const seat of stuck) {
        seat.dealt = 0;
        contenders.delete(seat);
      }
    }
  }

  #next(seats: readonly Seat[]): Seat {
    return this.#seat(this.#turns.next(seats.map(({ name }) => name)) as LaneName);
  }

  #letAsk(seat: Seat): void {
    seat.dealt = 1;
    seat.pull.refill();
  }

  /** Asks for what it was dealt. @returns whether it did, or will when what is on its way has come */
  #asks(seat: Seat): boolean {
    if (seat.dealt > 0 && seat.pull.outstanding === 0) seat.pull.refill();
    return seat.dealt === 0 || seat.pull.outstanding > 0;
  }
}
