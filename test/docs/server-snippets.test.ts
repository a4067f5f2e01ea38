// The NATS server's own files and flags on the pages, asked of the servers: `nats-server -t` reads
// a configuration and ends.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { cleanUpLater } from "../harness/cleanup.ts";
import { serversUnderTest } from "../harness/servers.ts";
import { runCommand } from "../packaging/run-command.ts";
import { shellLines } from "./shell-lines.ts";
import { pageSnippets, PAGES } from "./snippets.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const EXAMPLES = join(ROOT, "deploy/nats");
const PASSWORDS = ["NODE", "OPERATOR", "SHOP", "READER"].map((who) => [
  `${who}_PASSWORD`,
  "s3cret",
]);
const SNIPPETS = pageSnippets("nats").map(({ page, line, text }) => ({
  ...{ name: `${page}:${line}`, text },
}));
const STARTS = PAGES.flatMap((page) => shellLines(readFileSync(join(ROOT, page), "utf8"))).filter(
  (line) => line.startsWith("nats-server "),
);

for (const server of serversUnderTest()) {
  const why = server.state === "present" ? "" : `: ${server.reason}`;
  describe.skipIf(server.state !== "present")(`nats-server ${server.generation}${why}`, () => {
    const path = server.state === "present" ? server.path : "";
    const ask = async (args: readonly string[]) => {
      const dir = await mkdtemp(join(tmpdir(), "millrace-conf-"));
      cleanUpLater(() => rm(dir, { recursive: true, force: true }));
      cpSync(EXAMPLES, dir, { recursive: true });
      return {
        dir,
        run: () => runCommand([path, ...args, "-t"], dir, Object.fromEntries(PASSWORDS)),
      };
    };
    const configFaults = async (text: string) => {
      const { dir, run } = await ask(["-c", "server.conf"]);
      writeFileSync(join(dir, "server.conf"), whole(text));
      const { code, output } = await run();
      return code === 0 ? "" : output;
    };

    test.each(SNIPPETS)("takes the configuration of $name", async ({ text }) => {
      expect(await configFaults(text)).toBe("");
    });

    test.each(STARTS)("takes the flags of: %s", async (line) => {
      const { dir, run } = await ask([...line.split(" ").slice(1), "-c", "server.conf"]);
      writeFileSync(join(dir, "server.conf"), "debug: false\n");
      const { code, output } = await run();
      expect(code, output).toBe(0);
    });

    test.each([
      ['include "authorisation.conf"', "authorisation.conf"],
      ["{ user: reader, password: x, permisions: { publish: [] } }", "permisions"],
      ['publish: { allow: ["orders..placed"] }', "orders..placed"],
    ])("tells what is wrong with: %s", async (text, said) => {
      expect(await configFaults(text)).toContain(said);
    });
  });
}

test("there are configurations and flags to ask about", () => {
  expect([SNIPPETS.length, STARTS.length]).toEqual([3, 1]);
});

/** A user, or the permissions of one, as they stand in a server's configuration. */
function whole(text: string): string {
  const bare = text.trim();
  if (bare.startsWith("{")) return `authorization { users: [\n${bare}\n] }`;
  if (bare.startsWith("publish:"))
    return `authorization { users: [{ user: relay, password: x, permissions: {\n${bare}\n} }] }`;
  return bare;
}
