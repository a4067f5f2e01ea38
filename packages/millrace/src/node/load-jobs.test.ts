import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadJobs, loadSchedules } from "./load-jobs.ts";

let dir: string;
beforeEach(async () => {
  // Beside this file, so that the job files find the packages they import.
  dir = await mkdtemp(join(import.meta.dirname, ".load-jobs-"));
});
afterEach(() => rm(dir, { recursive: true }));

async function write(name: string, text: string): Promise<string> {
  await writeFile(join(dir, name), `import { defineJob } from "@millrace/core";\n${text}`);
  return name;
}

test("default and named exports of TypeScript files; a job that two files export counts once", async () => {
  const first = await write(
    "a.ts",
    `
    const a = defineJob<number>({ name: "a" });
    export default a.handler(({ input }): number => input);
    export const b = defineJob({ name: "b" }).handler(() => 1);
    export { a as definition };
    export const other: string = "x";
  `,
  );
  const second = await write(
    "b.ts",
    'export { b } from "./a.ts"; export const c = defineJob({ name: "c" }).handler(() => 1);',
  );
  expect((await loadJobs([first, second], dir)).map(({ name }) => name).toSorted()).toEqual([
    "a",
    "b",
    "c",
  ]);
});

test("a folder stands for the modules right in it; those without a job are imported and nothing more", async () => {
  await mkdir(join(dir, "jobs/deeper"), { recursive: true });
  await write("jobs/mail.ts", 'export default defineJob({ name: "mail" }).handler(() => 1);');
  await write("jobs/images.js", 'export default defineJob({ name: "images" }).handler(() => 1);');
  await write("jobs/names.ts", "export const names = 1;");
  await write("jobs/mail.test.ts", "throw new Error('a test was imported');");
  await write("jobs/.hidden.ts", "throw new Error('a hidden file was imported');");
  await writeFile(join(dir, "jobs/README.md"), "not a module");
  await write("jobs/deeper/x.ts", "throw new Error('a folder below was entered');");
  expect((await loadJobs(["jobs"], dir)).map(({ name }) => name)).toEqual(["images", "mail"]);
  expect(await loadSchedules(["jobs"], dir)).toEqual([]);
  await mkdir(join(dir, "empty"));
  await expect(loadJobs(["empty"], dir)).rejects.toMatchObject({
    code: "no-jobs",
    message: expect.stringContaining("empty") as string,
  });
});

test("a file may export schedules alone: their jobs run elsewhere", async () => {
  const file = await write(
    "nightly.ts",
    `import { defineSchedule } from "@millrace/core";
    const job = defineJob({ name: "report" });
    export default defineSchedule({ name: "nightly", cron: "@daily", job, input: null });`,
  );
  expect(await loadJobs([file], dir)).toEqual([]);
  expect((await loadSchedules([file], dir)).map(({ name }) => name)).toEqual(["nightly"]);
});

test("a job for a thread learns its file", async () => {
  const file = await write(
    "t.ts",
    'export const t = defineJob({ name: "t", isolation: "thread" }).handler(() => 1);',
  );
  expect((await loadJobs([file], dir))[0]?.module).toBe(pathToFileURL(join(dir, file)).href);
});

test.each([
  [
    "throws.ts",
    "throw new TypeError('broken on import');",
    "job-file-failed",
    /throws\.ts.*TypeError: broken on import/,
  ],
  ["imports.ts", "import './nowhere.ts';", "job-file-failed", /imports\.ts/],
  [
    "none.ts",
    "export const definition = defineJob({ name: 'n' });",
    "no-jobs",
    /none\.ts exports no job/,
  ],
])("%s is refused with its name and the reason", async (name, text, code, message) => {
  await write(name, text);
  await expect(loadJobs([name], dir)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message) as string,
  });
});
