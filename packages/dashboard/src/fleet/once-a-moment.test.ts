import { SimulatedClock } from "@millrace/testkit";
import { expect, test } from "vitest";
import { OnceAMoment } from "./once-a-moment.ts";

function scene() {
  const clock = new SimulatedClock();
  const known = new OnceAMoment(clock, 1_000);
  let asked = 0;
  const ask = (takes: number) =>
    known.ask(
      "q",
      () =>
        new Promise<number>((resolve) => {
          asked += 1;
          const answer = asked;
          if (takes === 0) resolve(answer);
          else clock.setTimer(takes, () => resolve(answer));
        }),
    );
  return { clock, known, ask };
}

test("ten who ask at once are told the same, and a moment later it is asked anew", async () => {
  const { clock, ask } = scene();
  expect(new Set(await Promise.all(Array.from({ length: 10 }, () => ask(0))))).toEqual(
    new Set([1]),
  );
  await clock.advance("999ms");
  expect(await ask(0)).toBe(1);
  await clock.advance("1ms");
  expect(await ask(0)).toBe(2);
});

test("what takes two seconds is not asked again before twenty have passed", async () => {
  const { clock, ask } = scene();
  const slow = [ask(2_000), ask(2_000)];
  await clock.advance("2s");
  expect(await Promise.all(slow)).toEqual([1, 1]);
  await clock.advance("19s");
  expect(await ask(0)).toBe(1);
  await clock.advance("1s");
  expect(await ask(0)).toBe(2);
});

test("what took a minute, as where the server stood still, is asked again after half a minute", async () => {
  const { clock, ask } = scene();
  const slow = ask(60_000);
  await clock.advance("1m");
  expect(await slow).toBe(1);
  await clock.advance("29s");
  expect(await ask(0)).toBe(1);
  await clock.advance("1s");
  expect(await ask(0)).toBe(2);
});

test("after a change it is asked anew, though it is being asked just now", async () => {
  const { clock, known, ask } = scene();
  const before = ask(2_000);
  known.forget();
  expect(await ask(0)).toBe(2);
  await clock.advance("2s");
  expect(await before).toBe(1);
  expect(await ask(0)).toBe(3);
});

test("a question that failed is asked again at once", async () => {
  const { known } = scene();
  await expect(known.ask("q", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await known.ask("q", () => Promise.resolve("yes"))).toBe("yes");
});

test("where all have left who wait for an answer, that is given up after a moment, and asked anew for the next", async () => {
  const clock = new SimulatedClock();
  const known = new OnceAMoment(clock, 1_000);
  const given: AbortSignal[] = [];
  const ask = (leaves?: AbortSignal): Promise<string> =>
    known.ask(
      "q",
      (left) => {
        given.push(left);
        return new Promise((_, reject) => {
          left.addEventListener("abort", () => reject(new Error("left")), { once: true });
        });
      },
      leaves,
    );
  const [one, two] = [new AbortController(), new AbortController()];
  const first = ask(one.signal);
  const second = ask(two.signal);
  one.abort();
  expect(given.map(({ aborted }) => aborted)).toEqual([false]);
  two.abort();
  await clock.advance("1999ms");
  expect(given.map(({ aborted }) => aborted)).toEqual([false]);
  await clock.advance("1ms");
  expect(given.map(({ aborted }) => aborted)).toEqual([true]);
  await expect(first).rejects.toThrow("left");
  await expect(second).rejects.toThrow("left");
  // Who can't leave waits for ever.
  const [third, four] = [ask(), new AbortController()];
  void ask(four.signal).catch(() => undefined);
  void third.catch(() => undefined);
  four.abort();
  await clock.advance("10s");
  expect(given.map(({ aborted }) => aborted)).toEqual([true, false]);
});

test("who leaves and asks again at once, as a page does that hears of news, is told of the same answer", async () => {
  const clock = new SimulatedClock();
  const known = new OnceAMoment(clock, 1_000);
  const slow = Promise.withResolvers<string>();
  let asked = 0;
  const ask = (leaves: AbortSignal): Promise<string> => {
    const question = (): Promise<string> => {
      asked += 1;
      return slow.promise;
    };
    return known.ask("q", question, leaves);
  };
  for (let n = 0; n < 10; n += 1) {
    const leaving = new AbortController();
    void ask(leaving.signal);
    await clock.advance("500ms");
    leaving.abort();
  }
  const last = ask(new AbortController().signal);
  await clock.advance("10s");
  slow.resolve("answer");
  expect([await last, asked]).toEqual(["answer", 1]);
  expect(clock.pending).toBe(0);
});

test("what is known is told to others though who asked for it has left", async () => {
  const known = new OnceAMoment(new SimulatedClock(), 1_000);
  const leaving = new AbortController();
  expect(await known.ask("q", () => Promise.resolve(1), leaving.signal)).toBe(1);
  leaving.abort();
  expect(await known.ask("q", () => Promise.resolve(2))).toBe(1);
});

test("of very many answers the ones that were asked for first are dropped, and no question is", async () => {
  const known = new OnceAMoment(new SimulatedClock(), 1_000);
  let asked = 0;
  const ask = (question: string) => known.ask(question, () => Promise.resolve((asked += 1)));
  const slow = Promise.withResolvers<string>();
  const waited = known.ask("slow", () => slow.promise);
  for (let n = 1; n <= 600; n += 1) await ask(`q${n}`);
  expect(await ask("q600")).toBe(600);
  expect(await ask("q150")).toBe(150);
  expect(await ask("q50")).toBe(601);
  slow.resolve("late");
  expect(await known.ask("slow", () => Promise.resolve("anew"))).toBe("late");
  expect(await waited).toBe("late");
});
