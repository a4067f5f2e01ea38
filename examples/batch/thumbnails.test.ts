import { createTestRuntime } from "millrace/testing";
import { expect, test } from "vitest";
import { publishAlbum, publishing, thumbnails } from "./thumbnails.ts";

test("an album is published once, when all of its pictures are through", async () => {
  await using t = await createTestRuntime({ jobs: [thumbnails, publishing] });
  const album = await publishAlbum(t.client, "summer", ["a.png", "notes.txt", "b.png"]);
  await t.drain();
  expect(await album.result()).toBe("summer: 2 of 3, without summer-1");
});
