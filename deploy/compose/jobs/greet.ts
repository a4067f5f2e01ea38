import { defineJob } from "millrace";

/** What the compose files run until you mount your own folder. */
export default defineJob<{ name: string }>({ name: "greet", queue: "greetings" }).handler(
  ({ input }) => `Hello, ${input.name}!`,
);
