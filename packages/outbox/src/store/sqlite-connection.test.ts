import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SqliteConnection } from "./sqlite-connection.ts";

test("two first uses at once open the file once", async () => {
  const dir = mkdtempSync(join(tmpdir(), "millrace-outbox-"));
  const connection = new SqliteConnection(join(dir, "shop.db"));
  onTestFinished(() => {
    connection.close();
    rmSync(dir, { recursive: true });
  });
  const [one, other] = await Promise.all([1, 2].map(() => connection.use((database) => database)));
  expect(one).toBe(other);
});
