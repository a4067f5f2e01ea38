import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { AskedThread, type LostAnswer } from "./asked-thread.ts";

type Answer = { readonly ok: true; readonly call: string } | LostAnswer;

test.each(["throw new Error('no memory')", "process.exit(1)"])(
  "a thread that ends while nobody asks it (%s) is followed by another",
  async (end) => {
    const started: Worker[] = [];
    const thread = new AskedThread<string, Answer>(() => {
      const worker = new Worker(
        `const { parentPort } = require("node:worker_threads");
         parentPort.on("message", (call) => {
           parentPort.postMessage({ ok: true, call });
           if (call === "end") setImmediate(() => { ${end}; });
         });`,
        { eval: true, stderr: true },
      );
      started.push(worker);
      return worker;
    });
    onTestFinished(() => thread.end());
    expect(await thread.ask("end")).toEqual({ ok: true, call: "end" });
    const [first] = started;
    if (first !== undefined && first.threadId !== -1)
      await new Promise((resolve) => first.once("exit", resolve));
    expect(thread.isThere).toBe(false);
    expect(await thread.ask("again")).toEqual({ ok: true, call: "again" });
    expect(started).toHaveLength(2);
  },
);
