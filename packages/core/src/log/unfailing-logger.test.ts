import { expect, test } from "vitest";
import { type Logger, silentLogger } from "./logger.ts";
import { unfailingLogger } from "./unfailing-logger.ts";

const broken = (): never => {
  throw new Error("ENOSPC: no space left on device");
};
const full: Logger = { debug: broken, info: broken, warn: broken, error: broken, child: broken };

test.each(["debug", "info", "warn", "error"] as const)("what %s throws stays there", (level) => {
  const log = unfailingLogger(full);
  expect(() => log[level]({ a: 1 }, "said")).not.toThrow();
  expect(() => log.child({ b: 2 }).child({})[level]({}, "said")).not.toThrow();
});

test("a line whose fields can't be written is written with what JSON has for them", () => {
  const lines: string[] = [];
  const strict: Logger = {
    ...silentLogger,
    info: (fields, message) => void lines.push(`${message} ${JSON.stringify(fields)}`),
  };
  unfailingLogger(strict).info({ n: 1n }, "bigint");
  expect(lines).toEqual(['bigint {"unloggable":["n"]}']);
});

test("a logger that is asynchronous rejects nowhere", async () => {
  const rejected = Promise.reject(new Error("the collector is gone"));
  const remote: Logger = Object.assign({}, silentLogger, { info: () => rejected });
  unfailingLogger(remote).info({}, "said");
  // An unhandled rejection would fail this test.
  await new Promise(setImmediate);
});

test("everything else is the logger's own, be it frozen or not", () => {
  class Own {
    readonly #secret = 7;
    level = "info";
    bindings(): number {
      return this.#secret;
    }
    debug(): void {}
    info(): void {}
    warn(): void {}
    error(): void {}
    child(): Own {
      return this;
    }
  }
  const own = new Own();
  const log = unfailingLogger(own);
  expect(log).toBeInstanceOf(Own);
  expect(log.bindings()).toBe(7);
  log.level = "debug";
  expect(own.level).toBe("debug");
  const frozen: Logger = Object.freeze({ ...silentLogger });
  expect(() => unfailingLogger(frozen).info({}, "said")).not.toThrow();
  expect(unfailingLogger(log)).toBe(log);
  expect(unfailingLogger(silentLogger)).toBe(silentLogger);
});
