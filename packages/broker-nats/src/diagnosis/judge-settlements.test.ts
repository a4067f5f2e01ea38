import { expect, test } from "vitest";
import { judgeSettlements } from "./judge-settlements.ts";

test("a queue whose jobs a node can't settle is named, with the step and the reason", () => {
  const queues = [
    { queue: "mail", stuck: 3, stuckBy: "record: permission-denied" },
    { queue: "well" },
    { queue: "none", stuck: 0 },
  ];
  expect(judgeSettlements([{ name: "n1", report: { queues } }])).toMatchObject([
    {
      check: "settlements mail",
      status: "fail",
      message: expect.stringMatching(/n1 .* 3 jobs .* record: permission-denied/) as string,
    },
  ]);
});

test.each([undefined, null, 7, {}, { queues: 7 }, { queues: [null, 7, {}] }])(
  "what is no report says nothing: %j",
  (report) => {
    expect(judgeSettlements([{ name: "n1", report }])).toMatchObject([{ status: "ok" }]);
  },
);
