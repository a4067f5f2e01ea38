import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { LaunchedServer } from "@millrace/nats-server";
import { newSeed, SeededRandom } from "../../reliability/oracle/seeded-random.ts";
import { ledgerNowMs } from "../../reliability/oracle/ledger-entry.ts";
import type { MemberFault } from "./member-fault.ts";
import { hearMonitorOf, lagging, leadership } from "./members.ts";

/** Where each killer writes how many it killed, a line each; `npm test` adds them up. */
export const TALLY_VARIABLE = "MILLRACE_TEST_TALLY";
const SEED_VARIABLE = "MILLRACE_TEST_SEED";

/** Of four that are killed, three lead the most streams, and one is any member. */
const LEADERS_SHARE = 0.75;
const FIRST_AFTER_MS = [200, 2_500] as const;
const NEXT_AFTER_MS = [1_500, 6_000] as const;
const DOWN_MS = [0, 1_500] as const;
export const RECOVERY_MS = 60_000;

/**
 * Kills members of a cluster one at a time while tests run: with SIGKILL, at random moments, mostly
 * the one that leads the most streams. The next is killed only when all members are current again,
 * so that two always live.
 */
export class LeaderKiller {
  readonly #members: readonly LaunchedServer[];
  readonly #most: number;
  readonly #random: SeededRandom;
  #round: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #phase: "working" | "resting" | "done" = "resting";
  readonly #deaths: MemberFault[] = [];

  constructor(members: readonly LaunchedServer[], most: number) {
    this.#members = members;
    members.forEach(hearMonitorOf);
    this.#most = most;
    this.#random = new SeededRandom(Number(process.env[SEED_VARIABLE] ?? newSeed()));
  }

  get kills(): number {
    return this.#deaths.length;
  }

  /** One that is not over yet lasts for ever. */
  get deaths(): readonly MemberFault[] {
    return this.#deaths;
  }

  /** Also after a rest. */
  work(): void {
    if (this.#phase !== "resting" || this.kills >= this.#most) return;
    this.#phase = "working";
    this.#wait(this.kills === 0 ? FIRST_AFTER_MS : NEXT_AFTER_MS);
  }

  /** Resolves when no member is down on its account, and none will be until `work`. */
  async rest(): Promise<void> {
    if (this.#phase === "working") this.#phase = "resting";
    clearTimeout(this.#timer);
    await this.#round;
  }

  async end(): Promise<void> {
    await this.rest();
    this.#phase = "done";
    const file = process.env[TALLY_VARIABLE];
    if (file !== undefined)
      appendFileSync(file, `${JSON.stringify({ kills: this.kills, seed: this.#random.seed })}\n`);
  }

  #wait([from, to]: readonly [number, number]): void {
    this.#timer = setTimeout(
      () => {
        this.#round = this.#kill().catch((error: unknown) => {
          // Another one down might leave a stream without a quorum, which no test is made for.
          this.#phase = "done";
          console.log(`no more leaders are killed in this file: ${String(error)}`);
        });
      },
      this.#random.between(from, to),
    );
  }

  async #kill(): Promise<void> {
    // A test may just have brought all of them back.
    const wanted = (): boolean => this.#phase === "working";
    await allCurrent(this.#members, RECOVERY_MS, wanted);
    if (!wanted()) return;
    const victim = await this.#choose();
    const death = { member: victim.name, fromMs: ledgerNowMs(), untilMs: Infinity };
    this.#deaths.push(death);
    await victim.kill();
    await pause(this.#random.between(...DOWN_MS));
    await victim.restart();
    await allCurrent(this.#members, RECOVERY_MS);
    death.untilMs = ledgerNowMs();
    if (this.#phase === "working" && this.kills < this.#most) this.#wait(NEXT_AFTER_MS);
  }

  async #choose(): Promise<LaunchedServer> {
    const leads = await leadership(this.#members);
    const ranked = this.#members.toSorted(
      (a, b) => (leads.get(b.name) ?? 0) - (leads.get(a.name) ?? 0),
    );
    const [leader] = ranked;
    return leader !== undefined && this.#random.next() < LEADERS_SHARE
      ? leader
      : this.#random.pick(ranked);
  }
}

/**
 * All copies have caught up with what there was at the first look. Tests go on making streams and
 * consumers meanwhile, of which some are always on their way.
 */
export async function allCurrent(
  members: readonly LaunchedServer[],
  withinMs: number,
  wanted = (): boolean => true,
): Promise<void> {
  let left: ReadonlySet<string> | undefined;
  for (const deadline = performance.now() + withinMs; ; await pause(200)) {
    const now = await lagging(members);
    if (now !== "away")
      left = left === undefined ? now : new Set([...left].filter((name) => now.has(name)));
    if (left?.size === 0 || !wanted()) return;
    if (performance.now() > deadline) break;
  }
  throw new Error(
    `not within ${withinMs} ms: all copies are current; missing: ${[...(left ?? ["a member"])].join(", ")}`,
  );
}
