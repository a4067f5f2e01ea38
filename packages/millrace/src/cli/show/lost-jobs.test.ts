import { expect, test } from "vitest";
import { lostIn } from "./lost-jobs.ts";

const MAIL = { queue: "mail", running: 2 };
const open = { queue: "mail", state: "open", slots: 4, used: 2, ended: 0 } as const;
const node = (state: "running" | "lost" | "draining", queues = [open]) => ({ state, queues });

test("what nobody is there to run is lost, and not running", () => {
  expect(lostIn(MAIL, [node("lost"), node("lost")])).toEqual({ lost: 2 });
  expect(lostIn(MAIL, [node("lost"), { ...node("running"), queues: [] }])).toEqual({ lost: 2 });
  // It runs them, or is given them at once.
  expect(lostIn(MAIL, [node("lost"), node("running")])).toEqual({});
  expect(lostIn(MAIL, [node("draining")])).toEqual({});
  // Nobody can say.
  expect(lostIn(MAIL, [])).toEqual({});
  expect(lostIn({ ...MAIL, running: 0 }, [node("lost")])).toEqual({});
});
