import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { succeed } from "../packaging/run-command.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const MINUTES = 15 * 60_000;

interface Version {
  readonly name: string;
  readonly place: string;
  readonly tag?: string;
}
const { told, toldTo, versionsOf } = (await import(`${ROOT}/site/versions.mjs`)) as {
  told: (env: Record<string, string>) => Version & { readonly versions: readonly Version[] };
  toldTo: (version: Version, versions: readonly Version[]) => Record<string, string>;
  versionsOf: (tags: readonly string[], base?: string) => readonly Version[];
};

test("before the first release there is what is next, at the beginning", () => {
  expect(versionsOf(["", "older-idea"])).toEqual([{ name: "next", place: "/" }]);
  expect(told({ MILLRACE_SITE_BASE: "/millrace/" })).toMatchObject({ place: "/millrace/" });
});

test("the newest release is at the beginning; of each minor version the newest patch is kept", () => {
  const versions = versionsOf(["v0.9.0", "v0.10.1", "v0.10.0", "v0.9.11", "v1.0.0-rc.1"], "/m/");
  expect(versions).toEqual([
    { name: "0.10", tag: "v0.10.1", place: "/m/" },
    { name: "0.9", tag: "v0.9.11", place: "/m/0.9/" },
    { name: "next", place: "/m/next/" },
  ]);
  const next = versions[2] as Version;
  expect(told(toldTo(next, versions))).toMatchObject({
    ...next,
    versions: versions.map(({ name, place }) => ({ name, place })),
  });
});

const noHistory = existsSync(join(ROOT, ".git")) ? "" : " (no repository here, so no tags)";
test.skipIf(noHistory !== "")(
  `a release and what is next are built, each by its own tree, and lead to each other${noHistory}`,
  async () => {
    const clone = mkdtempSync(join(tmpdir(), "millrace-versions-"));
    onTestFinished(() => rmSync(clone, { recursive: true, force: true }));
    const inClone = (...command: string[]) => succeed(command, clone, {}, MINUTES);
    const asTester = ["-c", "user.name=tester", "-c", "user.email=tester@example.com"];
    await inClone("git", "clone", "--quiet", "--shared", ROOT, ".");
    for (const tag of (await inClone("git", "tag", "--list")).split("\n"))
      if (tag !== "") await inClone("git", "tag", "--delete", tag);
    await inClone("git", "tag", "v0.1.0");
    await inClone("git", "rm", "--quiet", "docs/playground.md", "docs/stream.svg");
    const index = "docs/README.md";
    await inClone("sed", "-i.old", "/playground/d", index, "docs/releasing.md");
    await inClone("git", ...asTester, "commit", "--quiet", "--all", "--message", "no playground");
    const install = ["pnpm@12.21.0", "install", "--frozen-lockfile", "--prefer-offline"];
    await inClone("npx", "--yes", ...install);
    await inClone(process.execPath, "site/build-versions.mjs");

    const page = (path: string): string => readFileSync(join(clone, "site/dist", path), "utf8");
    const exists = (path: string): boolean => existsSync(join(clone, "site/dist", path));
    for (const [path, name] of [
      ["tutorial.html", "0.1"],
      ["next/tutorial.html", "next (not released)"],
    ] as const) {
      expect(page(path)).toMatch(`<summary>Version: ${name}</summary>`);
      expect(page(path)).toMatch(/<a href="\/"[^>]*>0\.1<\/a>/);
      expect(page(path)).toMatch(/<a href="\/next\/"[^>]*>next \(not released\)<\/a>/);
    }
    expect(page("next/tutorial.html")).toMatch('src="/next/assets/');
    expect(page("next/llms.txt")).toContain("(/next/tutorial.md)");
    expect([exists("playground.html"), exists("next/playground.html")]).toEqual([true, false]);
  },
  MINUTES,
);
