import { defineJob } from "millrace";

export const welcome = defineJob<{ user: string }>({
  name: "welcome",
  queue: "mail",
  retry: { attempts: 5, base: "1s" },
});
