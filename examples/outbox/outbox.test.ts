import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startChild } from "../../test/harness/child.ts";
import { describeServer } from "../../test/harness/servers.ts";

let dir: string;
beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), "millrace-shop-"))));
afterEach(() => rm(dir, { recursive: true }));

describeServer("orders and their jobs in one transaction", "newest", (server) => {
  test("the order that was committed is charged, the one that was rolled back is not", async () => {
    const shop = startChild(join(import.meta.dirname, "main.ts"), {
      args: [join(dir, "shop.db")],
      env: { MILLRACE_SERVER: server.url, MILLRACE_NAMESPACE: server.namespace() },
    });
    expect(await shop.exit(90_000), shop.output().join("\n")).toMatchObject({ code: 0 });
    expect(shop.output()).toEqual(["Error: order 2 costs nothing", "order 1: 4200 cents"]);
  });
});
