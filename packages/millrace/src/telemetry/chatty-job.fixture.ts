import { defineJob, type Job } from "@millrace/core";

/** Runs in a thread, which imports this file. */
const definition = defineJob({ name: "chatty", queue: "work", isolation: "thread" });

export const chatty: Job<unknown> = Object.freeze({
  ...definition.handler(({ log }) => log.info({ token: "t0ken" }, "hello")),
  module: import.meta.url,
});
