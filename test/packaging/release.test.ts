import { cpSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { runCommand, succeed } from "./run-command.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  readonly scripts: { readonly changeset: string };
};
const changeset = scripts.changeset.split(" ");
const { code, output } = await runCommand([...changeset, "--version"], tmpdir());
const title = code === 0 ? "" : `: ${output.replace(/\s+/g, " ").slice(-150)}`;

it.skipIf(code !== 0)(`one changed package raises all of them to one version${title}`, async () => {
  const dir = await mkdtemp(join(tmpdir(), "millrace-release-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const manifests = globSync("packages/*/package.json", { cwd: ROOT });
  for (const file of [...manifests, "package.json", "pnpm-workspace.yaml", ".changeset"]) {
    mkdirSync(dirname(join(dir, file)), { recursive: true });
    cpSync(join(ROOT, file), join(dir, file), { recursive: true });
  }
  writeFileSync(
    join(dir, ".changeset", "lone-change.md"),
    '---\n"@millrace/core": minor\n---\n\nSomething new.\n',
  );
  const before = JSON.parse(
    readFileSync(join(ROOT, "packages/core/package.json"), "utf8"),
  ) as Manifest;
  await succeed([...changeset, "version"], dir);

  expect(manifests).toHaveLength(10);
  const [major, minor] = before.version.split(".").map(Number);
  for (const file of manifests) {
    const manifest = JSON.parse(readFileSync(join(dir, file), "utf8")) as Manifest;
    expect(manifest.version, file).toBe(`${major}.${(minor ?? 0) + 1}.0`);
    // pnpm writes the exact version in their place when it packs.
    for (const [name, range] of Object.entries(manifest.dependencies ?? {}))
      if (name.startsWith("@millrace/")) expect(range).toBe("workspace:*");
  }
  expect(globSync("packages/*/CHANGELOG.md", { cwd: dir })).toEqual([]);
});

const { packageManager } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  readonly packageManager: string;
};
const pnpm = ["npx", "--yes", packageManager];
const brought = await runCommand([...pnpm, "--version"], tmpdir());
const noPnpm = brought.code === 0 ? "" : `: ${brought.output.replace(/\s+/g, " ").slice(-150)}`;
const signs = `what a release says to pnpm makes it sign where a package was built${noPnpm}`;

it.skipIf(brought.code !== 0)(signs, async () => {
  const plan = await succeed(
    [process.execPath, "scripts/release.mjs", "--provenance", "--dry-run", ...ADDRESSES],
    ROOT,
    { ACTIONS_ID_TOKEN_REQUEST_URL: "http://127.0.0.1:1" },
  );
  expect(plan).toContain("millrace: homepage https://docs.example/");
  const [, name = "", value = ""] = /with a provenance: (\w+)=(\w+)/.exec(plan) ?? [];

  const dir = await mkdtemp(join(tmpdir(), "millrace-signed-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, "package.json"), '{ "name": "nobody-signs-this", "version": "1.0.0" }');
  const nowhere = [...pnpm, "publish", "--no-git-checks", "--registry", "http://127.0.0.1:1/"];
  const noCi = { GITHUB_ACTIONS: "", GITLAB_CI: "", [name]: value };
  const { output } = await runCommand(nowhere, dir, noCi);
  expect(output).toContain("provenance generation is not supported for this CI provider");
});

it("a release takes no address for the site that is not one of a folder", async () => {
  const args = ["--dry-run", "--site", "https://docs.example/?page=1"];
  const { code, output } = await runCommand(
    [process.execPath, "scripts/release.mjs", ...args],
    ROOT,
  );
  expect(code).toBe(1);
  expect(output).toContain("--site must be where the site begins");
});

const ADDRESSES = [
  ...["--repository", "git+https://github.com/somebody/millrace.git"],
  ...["--site", "https://docs.example/"],
];

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}
