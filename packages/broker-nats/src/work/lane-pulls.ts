import {
  LANE_CONSUMERS,
  LANE_NAMES,
  type LaneName,
  type LaneWeights,
  type MillraceError,
} from "@millrace/core";
import type { NatsConnection } from "@nats-io/nats-core";
import { machineOf } from "../machine/machine.ts";
import { quietTimer } from "../machine/timers.ts";
import type { Delivery as RawDelivery } from "../pull/delivery.ts";
import { isWorthAPull, type Pull } from "../pull/pull-size.ts";
import { PullSubscription, SERVING_MS } from "../pull/pull-subscription.ts";
import { PrefetchBuffer } from "./prefetch-buffer.ts";
import { SaturationMonitor } from "./saturation-monitor.ts";
import { contends, type LaneState, planPull } from "./lane-plan.ts";
import type { NatsDelivery } from "./nats-delivery.ts";
import { type Seat, LaneScheduler } from "./lane-scheduler.ts";

export interface LanePullsOptions {
  readonly nc: NatsConnection;
  readonly stream: string;
  readonly weights: LaneWeights;
  readonly expiresMs: number;
  readonly freeSlots: () => number;
  readonly mayPull: () => number;
  readonly freeBytes: () => number;
  /** Takes out the lease. */
  readonly receive: (raw: RawDelivery) => NatsDelivery;
  /** Gives a job to the worker: it occupies a slot from then on. */
  readonly hand: (delivery: NatsDelivery) => void;
  /** Gives one to the worker that it must hand back. */
  readonly handSurplus: ((delivery: NatsDelivery) => void) | undefined;
  readonly onConsumerMissing: () => Promise<void>;
  readonly onProblem: (error: MillraceError) => void;
}

interface LaneSeat extends Seat {
  readonly pull: PullSubscription;
}

/**
 * All slots taken for so long: then other nodes should get what comes, and the pulls of idle lanes
 * are taken back.
 */
const LASTING_MS = 50;
/**
 * The normal lane shows soon whether the server is there; the others need not say it as often, and
 * ask anew when that lane finds it gone.
 */
const HEARTBEATS_MS: Readonly<Record<LaneName, number>> = {
  high: 7_500,
  normal: 2_000,
  low: 7_500,
};

/**
 * The three lanes of a queue, pulled from side by side for one worker's slots.
 *
 * What each lane asks for is `planPull`'s to say, from what is known of it: idle lanes have one job
 * asked for, the one busy lane has all slots, and lanes that contend are dealt the free slots by
 * their weights. While any lane contends, an idle lane asks for its next one when its turn has
 * come, so that a trickle of low jobs can't outrun its weight.
 *
 * A job that meets no free slot goes into the buffer: there it has the next one.
 */
export class LanePulls {
  readonly #options: LanePullsOptions;
  readonly #dealer: LaneScheduler;
  readonly #seats: readonly LaneSeat[];
  readonly #buffer: PrefetchBuffer;
  readonly #saturation: SaturationMonitor;
  /** Lanes that contend. */
  #contenders = 0;
  #due: NodeJS.Immediate | undefined;
  /**
   * `paused`: asks for nothing, and what is in the buffer stays there. `stopping`: the same, and what
   * still arrives is `#late`.
   */
  #phase: "pulling" | "paused" | "stopping" = "pulling";
  /**
   * What arrives while stopping, kept until no pull is left: a job that is handed back sooner would
   * come straight back.
   */
  readonly #late: NatsDelivery[] = [];

  constructor(options: LanePullsOptions) {
    const { handSurplus } = options;
    const { clock } = machineOf(options.nc);
    this.#options = options;
    this.#dealer = new LaneScheduler(options.weights, () => this.#free());
    this.#saturation = new SaturationMonitor(LASTING_MS, () => this.#lastingFull(), clock);
    this.#buffer = new PrefetchBuffer(
      handSurplus === undefined
        ? undefined
        : (delivery, lane) => {
            // Other nodes should have what else comes; a turn will ask again.
            this.#withdraw(this.#seat(lane));
            handSurplus(delivery);
          },
      clock,
    );
    this.#seats = LANE_NAMES.map((name) => this.#open(name));
    this.#contenders = this.#seats.length;
    this.#share();
  }

  get lastActivityMs(): number {
    return Math.max(...this.#seats.map(({ pull }) => pull.lastActivityMs));
  }

  slotFreed(): void {
    this.#saturation.free();
    if (this.#phase !== "pulling") return;
    if (this.#buffer.size > 0) this.#drainBuffer();
    if (this.#contenders > 1) return this.#shareSoon();
    for (const seat of this.#seats) {
      if (seat.state === "unknown") this.#shareSoon();
      else if (seat.state !== "cold" && this.#contenders <= (seat.state === "backlog" ? 1 : 0))
        seat.pull.slotFreed();
      else if (seat.pull.outstanding === 0) this.#shareSoon();
    }
  }

  /** Resolves when nothing can arrive any more. What is in the buffer then is surplus at once. */
  async pause(): Promise<void> {
    if (this.#phase === "pulling") this.#phase = "paused";
    await Promise.all(this.#seats.map(({ pull }) => pull.pause()));
    if (this.#phase === "paused") this.#buffer.sortOut(0);
  }

  resume(): void {
    if (this.#phase === "paused") this.#phase = "pulling";
    if (this.#buffer.size > 0) this.#drainBuffer();
    for (const { pull } of this.#seats) pull.resume();
    this.#shareSoon();
  }

  /**
   * Resolves when nothing can arrive any more; what arrived meanwhile, or was in the buffer, has
   * been handed over by then.
   */
  async stop(): Promise<void> {
    this.#phase = "stopping";
    await Promise.all(this.#seats.map(({ pull }) => pull.stop()));
    clearImmediate(this.#due);
    this.#saturation.close();
    for (const delivery of [...this.#buffer.clear(), ...this.#late.splice(0)])
      this.#options.hand(delivery);
  }

  #open(name: LaneName): LaneSeat {
    const { nc, stream, expiresMs, onConsumerMissing, onProblem } = this.#options;
    // The first plan is asked for before there is a seat; the first share makes up for it.
    let seat: LaneSeat | undefined;
    const pull = new PullSubscription({
      nc,
      stream,
      consumer: LANE_CONSUMERS[name],
      expiresMs,
      heartbeatMs: HEARTBEATS_MS[name],
      freeSlots: () => this.#free(),
      freeBytes: () => this.#options.freeBytes(),
      plan: () => (seat === undefined ? undefined : this.#plan(seat)),
      onMessage: (raw) => {
        if (seat !== undefined) this.#receive(seat, raw);
      },
      onRanDry: () => {
        if (seat !== undefined) this.#become(seat, "cold");
      },
      onConsumerMissing,
      onGone: (goneAtMs) => this.#askOthersAnew(name, goneAtMs),
      onProblem,
    });
    seat = { name, pull, state: "unknown", dealt: 0 };
    return seat;
  }

  /**
   * The lanes' consumers are of one stream, so what leads one is often gone for all. A lane that
   * was heard of since keeps its pull: what is sent in the moment in which one is taken back is
   * late. So one that was heard of just now may be served, and has a moment to show it.
   */
  #askOthersAnew(lane: LaneName, goneAtMs: number): void {
    const { clock } = machineOf(this.#options.nc);
    for (const { name, pull } of this.#seats) {
      const heardAtMs = pull.lastActivityMs;
      if (name === lane || heardAtMs > goneAtMs) continue;
      const askAnew = (): void => {
        if (pull.lastActivityMs === heardAtMs) pull.askAnew();
      };
      if (clock.monotonic() - heardAtMs >= SERVING_MS) askAnew();
      else quietTimer(clock, SERVING_MS, askAnew);
    }
  }

  #seat(lane: LaneName): LaneSeat {
    return this.#seats[LANE_NAMES.indexOf(lane)] as LaneSeat;
  }

  #free(): number {
    const { freeSlots, mayPull } = this.#options;
    const free = freeSlots() - this.#buffer.size;
    return free < 1 ? free : Math.min(free, mayPull());
  }

  #plan(seat: Seat): Pull | undefined {
    const { state, dealt } = seat;
    const { outstanding } = seat.pull;
    const free = this.#free();
    // Asked for each job that ends where one lane is busy: almost always it is too early.
    if (state === "backlog" && outstanding > 0 && !isWorthAPull(free, outstanding))
      return undefined;
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
    if (this.#phase === "stopping") {
      this.#late.push(delivery);
      return;
    }
    const free = freeSlots();
    if (this.#buffer.size === 0 && free > 0) hand(delivery);
    else this.#buffer.put(seat.name, delivery);
    if (free <= 1) this.#saturation.full();
  }

  #become(seat: Seat, state: LaneState): void {
    if (seat.state === state) return;
    const rivals = this.#rivalsOf(seat);
    seat.state = state;
    seat.dealt = 0;
    this.#contenders = rivals + (contends(state) ? 1 : 0);
    // Alone it is served by its own plan, which follows; but others may have waited for their
    // turns.
    if (rivals > 0 || this.#seats.some((other) => other !== seat && other.pull.outstanding === 0))
      this.#shareSoon();
  }

  #drainBuffer(): void {
    for (const lane of LANE_NAMES) {
      while (this.#buffer.has(lane) && this.#options.freeSlots() > 0) {
        const delivery = this.#buffer.take(lane);
        if (delivery !== undefined) this.#options.hand(delivery);
      }
    }
    if (this.#options.freeSlots() <= 0) this.#saturation.full();
  }

  /**
   * Nobody knows what waits in a lane that was not asked for so long; and nobody else gets what
   * this node has asked for.
   */
  #lastingFull(): void {
    // A slot may have been freed within the very call that took it.
    if (this.#free() > 0) return this.#saturation.free();
    for (const seat of this.#seats) this.#withdraw(seat);
  }

  #withdraw(seat: LaneSeat): void {
    seat.pull.withdraw();
    seat.dealt = 0;
    if (seat.state !== "backlog") this.#become(seat, "unknown");
  }

  #shareSoon(): void {
    this.#due ??= setImmediate(() => this.#share());
  }

  #share(): void {
    this.#due = undefined;
    this.#dealer.share(this.#seats);
  }
}
