import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type AnyJob, type MachineDefinition, MillraceError, type Schedule } from "@millrace/core";
import { collectJobs, collectMachines, collectSchedules } from "@millrace/runtime";
import { jobFilesOf } from "./job-files.ts";

/**
 * The jobs that files export, named or default. TypeScript files are imported as they are: Node
 * strips their types. A folder stands for the modules right in it.
 *
 * A job with `isolation: "thread"` learns here which file its thread has to import.
 *
 * @throws MillraceError `job-file-failed`, `no-jobs`, naming the file
 */
export async function loadJobs(
  files: readonly string[],
  directory: string,
): Promise<readonly AnyJob[]> {
  const jobs = new Set<AnyJob>();
  let others = 0;
  for (const { path: file, found: how } of jobFilesOf(files, directory)) {
    const url = pathToFileURL(resolve(directory, file)).href;
    const exported = await importFile(url, file);
    const found = collectJobs(exported);
    const other = collectMachines(exported).length + collectSchedules(exported).length;
    others += other;
    if (found.length === 0 && other === 0 && how === "named") {
      throw new MillraceError(
        "no-jobs",
        `${file} exports no job. Export what definition.handler(…) returns, by name or as the default.`,
      );
    }
    for (const job of found) jobs.add(job);
    for (const job of found) {
      if (job.isolation !== "thread" || job.module !== undefined) continue;
      jobs.delete(job);
      jobs.add(Object.freeze({ ...job, module: url }));
    }
  }
  if (jobs.size === 0 && others === 0 && files.length > 0) {
    throw new MillraceError(
      "no-jobs",
      `No file in ${files.join(", ")} exports a job. Job files lie right in the folder and end in .ts, .mts, .js or .mjs.`,
    );
  }
  return [...jobs];
}

/**
 * The schedules that files export, named or default. Most have none.
 *
 * @throws MillraceError `job-file-failed`, naming the file
 */
export async function loadSchedules(
  files: readonly string[],
  directory: string,
): Promise<readonly Schedule[]> {
  const schedules = new Set<Schedule>();
  for (const { path: file } of jobFilesOf(files, directory)) {
    const url = pathToFileURL(resolve(directory, file)).href;
    for (const schedule of collectSchedules(await importFile(url, file))) schedules.add(schedule);
  }
  return [...schedules];
}

/**
 * The durable machines that files export, named or default. Most have none.
 *
 * @throws MillraceError `job-file-failed`, naming the file
 */
export async function loadMachines(
  files: readonly string[],
  directory: string,
): Promise<readonly MachineDefinition[]> {
  const machines = new Set<MachineDefinition>();
  for (const { path: file } of jobFilesOf(files, directory)) {
    const url = pathToFileURL(resolve(directory, file)).href;
    for (const machine of collectMachines(await importFile(url, file))) machines.add(machine);
  }
  return [...machines];
}

async function importFile(url: string, file: string): Promise<object> {
  try {
    return (await import(url)) as object;
  } catch (cause) {
    throw new MillraceError(
      "job-file-failed",
      `The job file ${file} could not be imported: ${reasonOf(cause)}`,
      { cause },
    );
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
  if (code === "ERR_MODULE_NOT_FOUND") return `${cause.message}. ${missingModule(cause.message)}`;
  const place = placeOf(cause);
  return `${cause.name}: ${cause.message}${place === undefined ? "" : ` (at ${place})`}`;
}

/** The ending under which a file lies beside the program that imports it under another one. */
function missingModule(message: string): string {
  const [, path] = /^Cannot find module '(.+?)' imported/.exec(message) ?? [];
  const bare = path?.replace(/\.[cm]?js$/, "");
  const meant = [".ts", ".mts", ".js", ".mjs"]
    .map((ending) => `${bare}${ending}`)
    .find((one) => bare !== undefined && existsSync(one));
  if (meant === undefined) return "Check the path, and that its imports are installed.";
  return `Beside it is ${basename(meant)}: write the ending in the import, as Node asks for it.`;
}

/**
 * The file and line that a user has to look at: a syntax error has them before its message, other
 * errors in the first frame that is no part of Node.
 */
function placeOf({ stack = "", message }: Error): string | undefined {
  const at = stack.indexOf(message);
  const [, named, line] =
    /^(file:\/\/\S+?|\/\S+?|[A-Z]:\\.+?):(\d+)$/m.exec(stack.slice(0, Math.max(at, 0))) ?? [];
  if (named !== undefined) return `${pathOf(named)}:${line}`;
  for (const frame of stack.slice(at + message.length).split("\n")) {
    const [, found] = /^\s+at (?:.*\()?((?:file:\/\/|\/|[A-Z]:\\).*:\d+:\d+)\)?$/.exec(frame) ?? [];
    if (found !== undefined) return found;
  }
  return undefined;
}

function pathOf(named: string): string {
  return named.startsWith("file:") ? fileURLToPath(named) : named;
}
