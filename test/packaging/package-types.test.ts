// What attw finds in a package whose types are not what Node loads.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkPackageTypes } from "./check-package-types.ts";
import { succeed } from "./run-command.ts";

/** A tarball as npm makes it, of a package that is published as ESM. */
async function packedWith(files: Readonly<Record<string, string>>): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "millrace-types-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  await mkdir(join(dir, "package"));
  const manifest = {
    ...{ name: "tried", version: "1.0.0", type: "module" },
    exports: { ".": { types: `./${Object.keys(files)[0]}`, default: "./index.js" } },
  };
  const all = { ...files, "index.js": "export const a = 1;\n" };
  for (const [name, text] of Object.entries({ ...all, "package.json": JSON.stringify(manifest) }))
    await writeFile(join(dir, "package", name), text);
  await succeed(["tar", "-czf", "tried.tgz", "package"], dir);
  return join(dir, "tried.tgz");
}

test("a package whose types say what Node loads has no problem", async () => {
  const right = await packedWith({ "index.d.ts": "export declare const a: number;\n" });
  expect(await checkPackageTypes([right])).toEqual({ code: 0, output: "" });
});

test.each([
  ["types of CommonJS for a module", "FalseCJS", "index.d.cts", "export declare const a: number;"],
  [
    "an import that no module has",
    "InternalResolutionError",
    "index.d.ts",
    'export * from "./gone";',
  ],
])("%s: %s", async (_, kind, name, text) => {
  const right = await packedWith({ "index.d.ts": "export declare const a: number;\n" });
  const { code, output } = await checkPackageTypes([right, await packedWith({ [name]: text })]);
  expect(code).toBe(1);
  expect(output).toContain(`tried: attw: ${kind}`);
});

test("a package without types", async () => {
  const { code, output } = await checkPackageTypes([await packedWith({ "readme.txt": "none" })]);
  expect([code, output]).toEqual([1, expect.stringMatching(/^tried: attw: /)]);
});
