import type { Judged } from "./simulate.ts";

/** What a run of many seeds comes to. */
export class Figures {
  readonly #begunAt = performance.now();
  readonly #broken = new Map<string, number[]>();
  #seeds = 0;
  #jobs = 0;
  #runs = 0;
  #faults = 0;
  #simulatedMs = 0;
  #failing = 0;

  add(seed: number, { world, violations }: Judged): void {
    this.#seeds += 1;
    this.#faults += world.struck.length;
    this.#simulatedMs += world.simulatedMs;
    const jobs = new Set<string>();
    for (const entry of world.ledger.entries) {
      if (entry.is !== "began") continue;
      jobs.add(`${entry.queue}/${entry.job}`);
      this.#runs += 1;
    }
    this.#jobs += jobs.size;
    if (violations.length > 0) this.#failing += 1;
    for (const is of new Set(violations.map((violation) => violation.is)))
      this.#broken.set(is, [...(this.#broken.get(is) ?? []), seed]);
  }

  get isClean(): boolean {
    return this.#failing === 0;
  }

  summary(): Readonly<Record<string, unknown>> {
    const seconds = (performance.now() - this.#begunAt) / 1_000;
    return {
      seeds: this.#seeds,
      failing: this.#failing,
      jobs: this.#jobs,
      runs: this.#runs,
      faults: this.#faults,
      simulatedHours: round(this.#simulatedMs / 3_600_000),
      seconds: round(seconds),
      seedsPerSecond: round(this.#seeds / seconds),
      jobsPerSecond: round(this.#jobs / seconds),
      broken: Object.fromEntries(this.#broken),
    };
  }

  line(): string {
    const of = this.summary();
    return `${this.#seeds} seeds, ${this.#failing} failing: ${this.#jobs} jobs, ${this.#runs} runs, ${this.#faults} faults, ${String(of["simulatedHours"])} h simulated in ${String(of["seconds"])} s, ${String(of["seedsPerSecond"])} seeds/s`;
  }

  kinds(): readonly string[] {
    return [...this.#broken].map(
      ([is, seeds]) => `  ${is}: ${seeds.length} (${seeds.slice(0, 10).join(" ")})`,
    );
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
