import { expect, test } from "vitest";
import { Fifo } from "./fifo.ts";

test("items leave in the order they came, whatever was removed between", () => {
  const fifo = new Fifo<number>();
  const left: number[] = [];
  for (let i = 0; i < 1_000; i += 1) {
    fifo.push(i);
    if (i % 3 === 0) left.push(fifo.shift() ?? -1);
  }
  expect(fifo.removeWhere((n) => n % 2 === 0).every((n) => n % 2 === 0)).toBe(true);
  while (fifo.size > 0) left.push(fifo.shift() ?? -1);
  expect(left).toEqual([...left].sort((a, b) => a - b));
  expect(left.slice(334).every((n) => n % 2 === 1)).toBe(true);
  expect(fifo.shift()).toBeUndefined();
});
