import { defineJob } from "@millrace/core";

/** What `millrace dev` runs where no job file is given, so that a first publish has an answer. */
export const hello = defineJob<unknown>({ name: "hello" }).handler(({ input, log }) => {
  const to =
    typeof input === "object" && input !== null && "name" in input && typeof input.name === "string"
      ? input.name
      : "world";
  log.info({}, "hello was run");
  return { greeting: `Hello, ${to}!` };
});
