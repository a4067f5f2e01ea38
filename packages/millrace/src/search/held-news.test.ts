import { systemClock, UNSETTLED } from "@millrace/core";
import { expect, test } from "vitest";
import { HeldNews } from "./held-news.ts";

const MOST = 20_000;

/** What hears as many jobs as it is told to. */
function hearer(held: HeldNews) {
  let heard = 0;
  return (many: number): number => {
    for (const end = heard + many; heard < end; heard += 1)
      held.hold({
        ...{ ...UNSETTLED, id: `j${heard}`, name: "send", queue: "mail", headers: {} },
        ...{ createdAt: 1, payload: heard },
      });
    return heard;
  };
}

async function writtenBy(held: HeldNews): Promise<readonly string[]> {
  const written: string[] = [];
  await held.write((news) => {
    written.push(...news.map(({ id }) => id));
    return Promise.resolve();
  });
  return written;
}

test("while nothing can be written no more is held than else, and the rest is counted", async () => {
  const held = new HeldNews({ clock: systemClock, show: (value) => value });
  const hear = hearer(held);
  hear(MOST);
  for (let round = 0; round < 3; round += 1) {
    const failing = held.write(() => {
      hear(5_000);
      return Promise.reject(new Error("disk full"));
    });
    await expect(failing).rejects.toThrow("disk full");
    hear(5_000);
  }
  expect(await writtenBy(held)).toEqual(Array.from({ length: MOST }, (_, n) => `j${n}`));
  const { unheard } = held;
  expect(unheard).toBe(hear(0) - MOST);
  hear(1);
  expect(held.unheard).toBe(unheard);
});

test("what comes after all was dropped is held, though a write was on its way", async () => {
  const held = new HeldNews({ clock: systemClock, show: (value) => value });
  const hear = hearer(held);
  hear(3);
  await held.write(() => {
    held.drop();
    hear(2);
    return Promise.resolve();
  });
  expect(await writtenBy(held)).toEqual(["j3", "j4"]);
});
