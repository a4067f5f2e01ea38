import { expect, test } from "vitest";
import { whichDead, whichLive } from "./which-jobs.ts";

const OF = { state: "delayed", queue: "mail", name: "", filter: "", limit: "100" };

test("what waits is meant by its state, and its terms stay together", () => {
  expect(whichLive(OF)).toEqual({
    filter: { state: "delayed", queue: "mail", where: "" },
    words: "all delayed jobs of mail",
  });
  expect(whichLive({ ...OF, name: 'a"b', filter: "x OR y" })).toEqual({
    filter: { state: "delayed", queue: "mail", where: 'name~"a\\"b" (x OR y)' },
    words: 'all delayed jobs of mail whose name holds a"b and that fit x OR y',
  });
});

test("dead jobs are meant by their letters, and never by a filter that says nothing", () => {
  expect(whichDead({ state: "", queue: "", name: "", filter: " " }).filter).toEqual({
    where: "state=dead",
  });
  expect(whichDead({ state: "dead", queue: "mail", name: "send", filter: "x OR y" })).toEqual({
    filter: { queue: "mail", where: 'state=dead name~"send" (x OR y)' },
    words: "all dead jobs of mail whose name holds send and that fit x OR y",
  });
  expect(whichDead({ state: "expired", queue: "", name: "", filter: "" })).toEqual({
    filter: { where: "state=dead reason=expired" },
    words: "all expired jobs of all queues",
  });
});
