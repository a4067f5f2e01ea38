import { writeFileSync } from "node:fs";
import { defineJob } from "millrace";
import { PLACES } from "./places.ts";

/** What a handler finds where it runs. */
export const look = defineJob({ name: "look", queue: "work" }).handler(() => ({
  pid: process.pid,
  uid: process.getuid?.(),
  gid: process.getgid?.(),
  written: Object.fromEntries(PLACES.map((place) => [place, write(place)])),
}));

export const slow = defineJob<{ ms: number }>({ name: "slow", queue: "work" }).handler(
  async ({ input, signal }) => {
    console.log("slow has started");
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, input.ms);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      });
    });
    return "slept";
  },
);

function write(place: string): string {
  try {
    writeFileSync(`${place}/probe`, "");
    return "yes";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
