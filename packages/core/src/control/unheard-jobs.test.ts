import { expect, test } from "vitest";
import { unheardIn } from "./unheard-jobs.ts";

const MAIL = { queue: "mail", running: 2 };
const node = (state: string, silentMs: number, queues = [{ queue: "mail" }]) => ({
  ...{ state, silentMs, queues },
});
const lost = node("lost", 44_000);
const late = node("running", 16_000);
const heard = node("running", 9_000);

test("what nobody is there to run is lost, and not running", () => {
  expect(unheardIn(MAIL, [lost, node("lost", 90_000)])).toEqual({ lost: 2, silentMs: 44_000 });
  expect(unheardIn(MAIL, [lost, { ...heard, queues: [] }])).toEqual({ lost: 2, silentMs: 44_000 });
  // It runs them, or is given them at once.
  expect(unheardIn(MAIL, [lost, heard])).toEqual({});
  expect(unheardIn(MAIL, [node("draining", 100)])).toEqual({});
  // Reports of nodes that died are forgotten some time later: nobody runs them all the same.
  expect(unheardIn(MAIL, [])).toEqual({ lost: 2 });
  expect(unheardIn(MAIL, [{ ...heard, queues: [] }])).toEqual({ lost: 2 });
  expect(unheardIn({ ...MAIL, running: 0 }, [lost])).toEqual({});
});

test("what a purge has, or a node that has not said yet that it is there, is not lost", () => {
  expect(unheardIn({ ...MAIL, activeMs: 3_000 }, [])).toEqual({});
  expect(unheardIn({ ...MAIL, activeMs: 3_000 }, [lost])).toEqual({});
  expect(unheardIn({ ...MAIL, activeMs: 16_000 }, [lost])).toEqual({ lost: 2, silentMs: 44_000 });
  expect(unheardIn({ ...MAIL, activeMs: 16_000 }, [])).toEqual({ lost: 2 });
});

test("what a node has that may only be too busy to say that it is there is not called lost", () => {
  expect(unheardIn(MAIL, [late])).toEqual({ unheard: 2, silentMs: 16_000 });
  expect(unheardIn(MAIL, [lost, late])).toEqual({ unheard: 2, silentMs: 16_000 });
  expect(unheardIn(MAIL, [late, heard])).toEqual({});
});
