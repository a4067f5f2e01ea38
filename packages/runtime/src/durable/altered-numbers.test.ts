import { expect, test } from "vitest";
import { document, hosted } from "./hosted-machine.fixture.ts";

const ALTERED: readonly (readonly [string, string])[] = [
  [
    '{"type":"GROW","of":[{"account":9007199254740993}]}',
    "of[0].account is a whole number beyond 2^53, which would be altered; send it as a string",
  ],
  ['{"type":"GROW","cents":1e400}', "cents is beyond all numbers"],
];

test.each(ALTERED)("an event with a number that would be altered fails: %s", async (text, why) => {
  const host = await hosted(document);
  await host.takeText("event", text);
  expect(await host.stored()).toMatchObject({
    ...{ cursor: 7, context: {}, status: "active" },
    trouble: {
      event: "(unreadable)",
      error: { type: "invalid-message", message: `An event could not be taken: ${why}.` },
    },
  });
});

test.each(ALTERED)("a machine does not begin with one: %s", async (text, why) => {
  const host = await hosted(undefined);
  await host.takeText("start", text);
  expect(await host.stored()).toMatchObject({
    status: "error",
    error: { type: "invalid-message", message: `The machine's input can't be read: ${why}.` },
  });
});

test.each(["no JSON", "[1", '"GROW"'])("what is no event fails as before: %s", async (text) => {
  const host = await hosted(document);
  await host.takeText("event", text);
  expect((await host.stored())?.trouble?.error.message).toContain("no JSON object with a type");
});
