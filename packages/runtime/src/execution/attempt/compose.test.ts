import { type ExecutionContext, type Middleware, silentLogger, UNSETTLED } from "@millrace/core";
import { expect, test } from "vitest";
import { requireSteps } from "../steps/require-steps.ts";
import { compose } from "./compose.ts";

const context: ExecutionContext = {
  progress: () => {},
  input: 1,
  signal: new AbortController().signal,
  attempt: 1,
  maxAttempts: 1,
  job: { ...UNSETTLED, id: "a", name: "n", queue: "q", payload: 1, createdAt: 0, headers: {} },
  token: 1,
  node: "n1",
  log: silentLogger,
  get step() {
    return requireSteps("n");
  },
  enqueue: () => Promise.reject(new Error("not in this test")),
  enqueueMany: () => Promise.resolve([]),
  transaction: () => Promise.reject(new Error("not in this test")),
};

test("without middleware the handler is called as it is", () => {
  expect(compose([], ({ input }) => input)(context)).toBe(1);
});

test("the first middleware is outermost, and each sees what the next gives", async () => {
  const seen: string[] = [];
  const wrap =
    (name: string): Middleware =>
    async (execution, next) => {
      expect(execution).toBe(context);
      seen.push(`${name}>`);
      const given = await next();
      seen.push(`<${name}`);
      return `${name}(${String(given)})`;
    };
  const call = compose([wrap("a"), wrap("b")], () => {
    seen.push("handler");
    return "x";
  });
  expect(await call(context)).toBe("a(b(x))");
  expect(seen).toEqual(["a>", "b>", "handler", "<b", "<a"]);
});

test("what a handler throws at once reaches the middleware as a rejection", async () => {
  const call = compose(
    [(_execution, next) => next().catch((error: Error) => error.message)],
    () => {
      throw new Error("at once");
    },
  );
  expect(await call(context)).toBe("at once");
});

test("a middleware may answer without the handler", async () => {
  let called = false;
  const call = compose([async () => "cached"], () => (called = true));
  expect(await call(context)).toBe("cached");
  expect(called).toBe(false);
});

test("a second next() is refused, in this attempt and not in the next", async () => {
  let runs = 0;
  const twice: Middleware = async (_execution, next) => {
    await next();
    return next();
  };
  const call = compose([twice], () => (runs += 1));
  await expect(call(context)).rejects.toMatchObject({ code: "invalid-option" });
  await expect(call(context)).rejects.toMatchObject({ code: "invalid-option" });
  expect(runs).toBe(2);
});

test("what next() rejects with ends no process where the middleware does not wait for it", async () => {
  const early: Middleware = (_execution, next) => {
    void next();
    void next();
    return Promise.resolve("early");
  };
  const call = compose([early], () => Promise.reject(new Error("later")));
  expect(await call(context)).toBe("early");
  // An unhandled rejection would fail this test.
  await new Promise(setImmediate);
});

test.each<[string, (given: Promise<unknown>) => unknown]>([
  ["then", (given) => given.then(() => "timed")],
  ["finally", (given) => given.finally(() => {})],
  ["catch", (given) => given.catch((error: unknown) => Promise.reject(error as Error))],
  [
    "a chain of them",
    (given) =>
      given
        .then(() => 1)
        .finally(() => {})
        .then(() => 2),
  ],
])("nor does what a middleware derives from it by %s, and drops", async (_, derive) => {
  const early: Middleware = async (_execution, next) => {
    derive(next());
    return "early";
  };
  const call = compose([early], () => Promise.reject(new Error("later")));
  expect(await call(context)).toBe("early");
  // An unhandled rejection would fail this test.
  await new Promise(setImmediate);
});

test("what is derived from next() is what the middleware waits for", async () => {
  const later: Middleware = (_execution, next) =>
    next()
      .then((given) => `${String(given)}!`)
      .finally(() => {});
  expect(await compose([later], () => "x")(context)).toBe("x!");
  const failed = compose([later], () => Promise.reject(new Error("later")))(context);
  await expect(failed).rejects.toThrow("later");
});
