import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createNode, defineJob, type Millrace } from "millrace";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "../harness/deadline.ts";
import { describeEachServer } from "../harness/servers.ts";
import { type CommandOptions, type CommandResult, millraceHere } from "./millrace.ts";

describeEachServer("dead letters that are chosen and edited", (server) => {
  let env: Record<string, string>;
  let client: Millrace;
  let stop: () => Promise<void>;
  const seen: unknown[] = [];

  const greet = defineJob<{ to: string; n?: number }>({
    name: "greet",
    queue: "work",
    retry: "none",
  });
  const run = (args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> =>
    millraceHere(args, { ...options, env: { ...env, ...options.env } });
  const settled = async (id: string, state: string) =>
    eventually(
      async () => {
        const job = await client.job(id).catch(() => undefined);
        return job?.state === state && job.history.length > 0 ? job : undefined;
      },
      { withinMs: 20_000, describe: `${id} is ${state}` },
    );

  beforeEach(async () => {
    seen.length = 0;
    const connection = { servers: server.url, namespace: server.namespace(), env: {} };
    env = { MILLRACE_SERVERS: server.url, MILLRACE_NAMESPACE: connection.namespace };
    const node = await createNode({
      ...connection,
      jobs: [
        greet.handler(({ input }) => {
          seen.push(input);
          if (input.to === "nobody") throw new RangeError(`there is no ${input.to} at the bank`);
          if (input.to === "later") throw new TypeError("the bank is closed");
          return `hello ${input.to}`;
        }),
      ],
    });
    await node.start();
    client = await connect(connection);
    stop = async () => {
      await node.stop();
      await client.close();
    };
  });
  afterEach(() => stop());

  test("an edited payload is run, the letter is gone, and the audit says who did it without the payload", async () => {
    await client.enqueue(greet, { to: "nobody", n: 1 }, { id: "e1" });
    await settled("e1", "dead");
    const edited = await run(["dead", "edit", "e1", '{"to":"augusta"}', "--merge", "--json"]);
    expect(edited).toMatchObject({ code: 0 });
    expect(edited.json()).toEqual({ edited: [{ id: "e1", queue: "work" }] });
    expect(await settled("e1", "succeeded")).toMatchObject({
      result: "hello augusta",
      attempts: 1,
    });
    expect(seen.at(-1)).toEqual({ to: "augusta", n: 1 });
    expect(await client.dead.list()).toEqual([]);
    const audit = await run(["audit", "list", "--json"]);
    expect(audit.json()).toMatchObject([
      { action: "dead edit", filter: { id: "e1", queue: "work" }, outcome: { count: 1 } },
    ]);
    expect(audit.out).not.toContain("augusta");
  });

  test("an editor's text is taken; unchanged or broken it changes nothing", async () => {
    await client.enqueue(greet, { to: "nobody" }, { id: "e2" });
    await settled("e2", "dead");
    const dir = await mkdtemp(join(tmpdir(), "millrace-editor-"));
    try {
      const editor = join(dir, "editor");
      const write = async (script: string) => {
        await writeFile(editor, `#!/bin/sh\n${script}\n`);
        await chmod(editor, 0o755);
      };
      const edit = () => run(["dead", "edit", "e2"], { env: { VISUAL: "", EDITOR: editor } });
      await write("true");
      expect(await edit()).toMatchObject({ code: 1 });
      await write('echo "{" > "$1"');
      expect(await edit()).toMatchObject({ code: 2 });
      // Latin 1, as an editor may save it.
      await write(`printf '{"to":"J\\374rg"}' > "$1"`);
      expect(await edit()).toMatchObject({
        ...{ code: 2, err: expect.stringContaining("not in UTF-8") as string },
      });
      await write("exit 3");
      expect((await edit()).err).toContain("ended with code 3");
      expect(await client.dead.list()).toHaveLength(1);
      await write('sed -i s/nobody/grace/ "$1"');
      expect(await edit()).toMatchObject({ code: 0 });
      expect(await settled("e2", "succeeded")).toMatchObject({ result: "hello grace" });
    } finally {
      await rm(dir, { recursive: true });
    }
    const none = await run(["dead", "edit", "e2", "{}", "--json"]);
    expect(none).toMatchObject({ code: 1 });
    expect(none.json()).toMatchObject({ error: { code: "job-not-found" } });
  });

  test.each<[string, unknown]>([
    ["not a number", Number.NaN],
    ["infinite", Number.NEGATIVE_INFINITY],
    ["bytes", new Uint8Array(3)],
    ["a time", new Date(5)],
  ])("what is %s is in no editor, and stays where other fields change", async (_what, kept) => {
    await client.enqueue(greet, { to: "nobody", kept } as never, { id: "e3" });
    await settled("e3", "dead");
    const opened = await run(["dead", "edit", "e3"], { env: { VISUAL: "", EDITOR: "true" } });
    expect(opened).toMatchObject({ code: 2 });
    expect(opened.err).toContain("--merge");
    expect(await client.dead.list()).toHaveLength(1);
    expect(await run(["dead", "edit", "e3", '{"to":"ada"}', "--merge"])).toMatchObject({ code: 0 });
    await settled("e3", "succeeded");
    expect(seen.at(-1)).toEqual({ to: "ada", kept });
  });

  test("a filter chooses which letters are listed and retried", async () => {
    await client.enqueueMany(greet, [
      { input: { to: "nobody" }, id: "f1" },
      { input: { to: "later" }, id: "f2" },
      { input: { to: "later" }, id: "f3" },
    ]);
    for (const id of ["f1", "f2", "f3"]) await settled(id, "dead");
    const filter = 'error=TypeError message~"CLOSED" age<1h';
    const listed = await run(["dead", "list", "--filter", filter, "--json"]);
    expect(
      listed
        .json<{ id: string }[]>()
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(["f2", "f3"]);
    // A pipe has nobody to ask.
    expect(await run(["dead", "retry", "--filter", filter])).toMatchObject({ code: 2 });
    expect(await run(["dead", "retry", "--filter", "colour=red", "--yes"])).toMatchObject({
      code: 2,
    });
    const retried = await run(["dead", "retry", "--filter", filter, "--yes", "--json"]);
    expect(retried.json<{ retried: { id: string }[] }>().retried).toHaveLength(2);
    await eventually(() => seen.length >= 5, { withinMs: 20_000, describe: "both run again" });
    // A delivery that a dying leader forgot runs once more.
    if (server.deaths.length === 0) expect(seen).toHaveLength(5);
    const audit = await run(["audit", "list", "--action", "dead retry", "--json"]);
    expect(audit.json()).toMatchObject([{ filter: { where: filter }, outcome: { count: 2 } }]);
  });
});
