import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { serviceVersion } from "./service-version.ts";

test("is the application's own, and nothing where no file says it", async () => {
  const directory = await mkdtemp(join(tmpdir(), "millrace-version-"));
  const described = (text: string): Promise<void> =>
    writeFile(join(directory, "package.json"), text);
  try {
    expect(await serviceVersion(directory)).toBeUndefined();
    await described('{"name":"shop","version":"2.7.1"}');
    expect(await serviceVersion(directory)).toBe("2.7.1");
    for (const text of ["null", "{", '{"version":7}', '{"version":""}']) {
      await described(text);
      expect(await serviceVersion(directory)).toBeUndefined();
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});
