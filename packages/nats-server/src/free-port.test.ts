import { afterEach, expect, test, vi } from "vitest";
import { findFreePort } from "./free-port.ts";

afterEach(() => void vi.restoreAllMocks());

test("a port is handed out once, though nothing listens there yet", async () => {
  const port = await findFreePort();
  const random = vi.spyOn(Math, "random").mockReturnValueOnce((port - 10_000) / 22_000 + 1e-9);
  expect(await findFreePort()).not.toBe(port);
  expect(random.mock.calls.length).toBeGreaterThan(1);
});
