import { fatal } from "millrace";
import { welcome } from "./jobs.ts";

export const sendWelcome = welcome.handler(async ({ input, attempt }) => {
  if (input.user === "") return fatal("there is no user without a name");
  if (attempt === 1) throw new Error("the mail server is busy");
  return `sent to ${input.user}`;
});
