import { existsSync, globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { serverFeatures } from "../../packages/broker-nats/src/connection/server-features.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const badges = [
  ...read("README.md").matchAll(
    /^\[!\[([^\]]+)\]\(https:\/\/img\.shields\.io\/badge\/([^)]+)\)\]\(([^)]+)\)$/gm,
  ),
].map(([, says = "", badge = "", leadsTo = ""]) => ({ says, badge, leadsTo }));
const manifests = globSync("packages/*/package.json", { cwd: ROOT }).map(
  (file) => JSON.parse(read(file)) as Record<string, unknown>,
);
/** What a badge of this label says, as a reader sees it. */
function shown(label: string): string {
  const badge = badges.find(({ badge: path }) => path.startsWith(`${label}-`))?.badge ?? "";
  const [text = ""] = badge
    .slice(label.length + 1)
    .replaceAll("--", "~")
    .split("-");
  return text.replaceAll("~", "-").replaceAll("_", " ");
}

test("each badge leads to a file and shows what its text for a screen reader says", () => {
  expect(badges.map(({ says }) => says)).toHaveLength(4);
  for (const { leadsTo } of badges) expect(existsSync(join(ROOT, leadsTo)), leadsTo).toBe(true);
});

test("the licence, the modules and the oldest Node are those of every package", () => {
  const licence = shown("licence");
  const node = shown("Node.js").replace(" or later", "");
  expect(shown("modules")).toBe("ESM only");
  expect(manifests.length).toBeGreaterThan(5);
  for (const { name, license, type, engines } of manifests)
    expect({ name, license, type, engines }).toEqual({
      name,
      license: licence,
      type: "module",
      engines: { node: `>=${node}` },
    });
  expect(read("LICENSE")).toContain("Apache License");
});

test("the oldest nats-server is the oldest that is not refused", () => {
  const [oldest = ""] = shown("nats--server").split(" or later");
  const [major, minor] = oldest.split(".").map(Number) as [number, number];
  expect(serverFeatures(`${oldest}.0`).version).toBe(`${oldest}.0`);
  expect(() => serverFeatures(`${major}.${minor - 1}.9`)).toThrow("2.10");
});
