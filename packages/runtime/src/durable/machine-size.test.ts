import { expect, test } from "vitest";
import { document } from "./hosted-machine.fixture.ts";
import { sizeOf } from "./machine-size.ts";

test("a document that can't be written is refused as one, which its event is failed for", () => {
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level += 1) deep = [deep];
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  for (const context of [deep, circle])
    expect(() => sizeOf({ ...document, context })).toThrow(
      expect.objectContaining({ code: "unserializable-payload" }),
    );
  expect(sizeOf(document)).toBe(JSON.stringify(document).length);
});
