import { FAULT_KINDS, type FaultKind, type Passage } from "../broker/network.ts";
import { byWeight, type Dice } from "../engine/dice.ts";

/**
 * What a world's faults are like: a seed throws these too, so that some worlds know one kind only.
 */
export interface FaultProfile {
  /** Of the messages that are sent, the share that meets a fault. */
  readonly rate: number;
  readonly weights: Readonly<Record<FaultKind, number>>;
  /** No fault begins after this. */
  readonly untilMs: number;
  readonly leaseMs: number;
}

/** A fault that happened. */
export interface Struck {
  readonly name: string;
  readonly kind: FaultKind;
}

/** A crash of the server or an election strikes all at once, so it is thrown less often. */
const RARER: Partial<Record<FaultKind, number>> = {
  "crash-before": 0.3,
  "crash-after": 0.3,
  elect: 0.3,
  stop: 0.5,
};
/**
 * Of a lease. A holder gives its lease up a tenth early; what it sent before and arrives later than
 * that can't be called back by anybody, and a delivery that was longer on its way looks fresh. No
 * broker could mend these two, so they are left out (docs/simulation.md).
 */
const SLOWEST = 0.09;
const RATES = [0.001, 0.003, 0.01, 0.03] as const;

export function faultProfile(dice: Dice, untilMs: number, leaseMs: number): FaultProfile {
  const only = Math.floor(dice("fault kinds") * 4);
  const weights = Object.fromEntries(
    FAULT_KINDS.map((kind) => {
      // One world in four knows all kinds, the others about a third of them.
      const present = only === 0 || dice(`fault kind ${kind}`) < 0.35;
      return [kind, present ? (RARER[kind] ?? 1) : 0];
    }),
  ) as Record<FaultKind, number>;
  const rate = RATES[Math.floor(dice("fault rate") * RATES.length)] ?? RATES[0];
  return { rate, weights, untilMs, leaseMs };
}

/**
 * Throws a fault for each message by its name: method, job, step and try. So leaving a job or a
 * fault out moves no other fault, and a world can be shrunk.
 */
export class FaultPlan {
  readonly struck: Struck[] = [];
  readonly #dice: Dice;
  readonly #profile: FaultProfile;
  readonly #only: ReadonlySet<string> | undefined;
  readonly #tries = new Map<string, number>();

  /** @param only names of the faults that may happen; left out: all */
  constructor(dice: Dice, profile: FaultProfile, only?: ReadonlySet<string>) {
    this.#dice = dice;
    this.#profile = profile;
    this.#only = only;
  }

  get profile(): FaultProfile {
    return this.#profile;
  }

  passage(point: string, nowMs: number, may: (kind: FaultKind) => boolean): Passage {
    const tries = (this.#tries.get(point) ?? 0) + 1;
    this.#tries.set(point, tries);
    const name = `${point} #${tries}`;
    const dice = this.#dice;
    const far = dice(`far ${name}`) < 0.05 ? 20 : 1;
    const passage = {
      thereMs: (0.1 + dice(`there ${name}`)) * far,
      backMs: (0.1 + dice(`back ${name}`)) * far,
    };
    const { rate, weights, untilMs } = this.#profile;
    const fault =
      nowMs < untilMs && dice(`fault ${name}`) < rate
        ? byWeight(dice, `which ${name}`, weights)
        : undefined;
    if (fault === undefined || !may(fault) || this.#only?.has(name) === false)
      return { ...passage, fault: undefined };
    this.struck.push({ name, kind: fault });
    if (fault !== "slow") return { ...passage, fault };
    const slow = dice(`slow ${name}`) ** 2 * this.#profile.leaseMs;
    return dice(`slow way ${name}`) < 0.5
      ? { ...passage, thereMs: passage.thereMs + slow * SLOWEST, fault }
      : { ...passage, backMs: passage.backMs + slow * SLOWEST, fault };
  }

  /** How long something takes that a fault began, by its name too. */
  lengthMs(point: string, what: string, leastMs: number, mostMs: number): number {
    const tries = this.#tries.get(point) ?? 0;
    // Mostly short, now and then to the end of the range.
    const share = this.#dice(`${what} ${point} #${tries}`) ** 2;
    return leastMs + share * (mostMs - leastMs);
  }
}
