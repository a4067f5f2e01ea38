import { spawn } from "node:child_process";
import type { CliIo } from "../io.ts";

/** The program of each system that opens an address as its user likes it. */
const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>>> = {
  darwin: ["open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};

/** Where there is no browser, it is said, and everything else goes on. */
export function openInBrowser(url: string, io: Pick<CliIo, "env" | "err">): void {
  const [program, ...args] = OPENERS[process.platform] ?? ["xdg-open"];
  const opener = spawn(program, [...args, url], {
    ...{ stdio: "ignore", detached: true, env: { ...io.env } },
  });
  const told = (why: string): void =>
    io.err(`no browser could be opened (${why}): open ${url} yourself\n`);
  opener.on("error", (error) => told(error.message));
  opener.on("exit", (code) => {
    if (code !== null && code !== 0) told(`${program} ended with code ${code}`);
  });
  opener.unref();
}
