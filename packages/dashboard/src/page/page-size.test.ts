import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { pageAssets } from "./page-assets.ts";

const MOST_BYTES = 200_000;

test("the first load is at most 200 kB compressed, all of it", async () => {
  const assets = await pageAssets();
  expect(assets.length).toBeGreaterThan(1);
  const sizes = assets.map(({ body }) => gzipSync(body).length);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(MOST_BYTES);
});
