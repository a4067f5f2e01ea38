import { expect, test } from "vitest";
import { SimulatedClock } from "../../simulated-clock.ts";
import { DocumentBucket } from "./memory-documents.ts";

test("a page is filled with what is kept, also where as much before it is too old", async () => {
  const clock = new SimulatedClock();
  const bucket = new DocumentBucket(clock, { maxAgeMs: 1_000 });
  for (const key of ["a", "b"]) bucket.put(key, 1, undefined);
  await clock.advance(600);
  for (const key of ["c", "d", "e"]) bucket.put(key, 1, undefined);
  await clock.advance(600);
  const first = bucket.page({ order: "oldest first", limit: 2 });
  expect(first).toMatchObject({ documents: [{ key: "c" }, { key: "d" }], next: 4 });
  const second = bucket.page({ order: "oldest first", limit: 2, after: 4 });
  expect(second.documents.map(({ key }) => key)).toEqual(["e"]);
  expect(second.next).toBeUndefined();
});
