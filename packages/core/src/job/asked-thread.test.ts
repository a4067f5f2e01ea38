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
           if (call === "end") { ${end}; }
           parentPort.postMessage({ ok: true, call });
         });`,
        { eval: true, stderr: true },
      );
      started.push(worker);
      return worker;
    });
    onTestFinished(() => thread.end());
    expect(await thread.ask("first")).toEqual({ ok: true, call: "first" });
    const [first] = started;
    const ended = new Promise((resolve) => first?.once("exit", resolve));
    first?.postMessage("end");
    await ended;
    expect(thread.isThere).toBe(false);
    expect(await thread.ask("again")).toEqual({ ok: true, call: "again" });
    expect(started).toHaveLength(2);
  },
);
