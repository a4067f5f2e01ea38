// A job file of `millrace run`: it computes without a pause, until the file is there.
import { existsSync } from "node:fs";
import { defineJob } from "millrace";

const word = new Int32Array(new SharedArrayBuffer(4));

export const crunch = defineJob<string>({ name: "crunch", queue: "crunch" }).handler(
  ({ input: file }) => {
    console.log("crunching");
    while (!existsSync(file)) Atomics.wait(word, 0, 0, 50);
    return "done";
  },
);
