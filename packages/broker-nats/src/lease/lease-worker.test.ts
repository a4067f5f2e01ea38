import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("the thread that extends leases loads no more of core than its basics", () => {
  const { files, packages } = loadedBy(
    fileURLToPath(new URL("./lease-worker.ts", import.meta.url)),
  );

  // So the walk is one: the worker reaches these over more than one file.
  expect(packages).toContain("@nats-io/transport-node");
  expect(files).toContain(fileURLToPath(new URL("../wire/read-headers.ts", import.meta.url)));
  const own = [...packages].filter((name) => name.startsWith("@millrace/"));
  expect(own).toEqual(["@millrace/core/basics"]);
});

/** What `entry` imports for more than its types, and what that imports. */
function loadedBy(entry: string) {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    const source = readFileSync(file, "utf8");
    for (const [, name = ""] of source.matchAll(
      /^(?:import|export)\b(?! type\b)[^;]*?from "([^"]+)"/gm,
    )) {
      if (name.startsWith(".")) visit(resolve(dirname(file), name));
      else packages.add(name);
    }
  };
  visit(entry);
  return { files, packages };
}
