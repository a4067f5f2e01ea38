import { type Logger, silentLogger } from "@millrace/core";
import { expect, test } from "vitest";
import { keptLogger } from "./kept-logger.ts";

const wrap = <Log extends Logger>(log: Log): Log =>
  // What it is given it stays, for whoever knows that.
  keptLogger(log, { add: () => {} }, "info") as Log;

class Own {
  #level = "info";
  readonly #lines: unknown[][] = [];
  get level(): string {
    return this.#level;
  }
  set level(level: string) {
    this.#level = level;
  }
  lines(): readonly unknown[][] {
    return this.#lines;
  }
  debug(): void {}
  info(...said: unknown[]): void {
    this.#lines.push(said);
  }
  warn(): void {}
  error(): void {}
  child(_fields?: object): this {
    return this;
  }
}

test("a logger may be of a class with private fields, or a proxy of one", () => {
  const own = new Own();
  const bound = new Proxy(own, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  });
  for (const given of [own, bound]) {
    const log = wrap(given);
    expect(log).toBeInstanceOf(Own);
    expect("info" in log).toBe(true);
    log.level = `${own.level}.`;
    log.child({}).info({ n: 1 }, "said");
  }
  expect(own.level).toBe("info..");
  expect(own.lines()).toEqual(Array.from({ length: 2 }, () => [{ n: 1 }, "said"]));
});

test("a logger may be frozen", () => {
  const lines: unknown[] = [];
  const frozen: Logger = Object.freeze({
    ...silentLogger,
    info: (...said: unknown[]) => void lines.push(said),
    child: () => frozen,
  });
  wrap(frozen).child({}).info({ n: 1 }, "said");
  expect(lines).toEqual([[{ n: 1 }, "said"]]);
});
