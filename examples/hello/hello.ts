import { defineJob } from "millrace";

export const hello = defineJob<{ name: string }>({
  name: "hello",
  retry: { attempts: 5, base: "1s" },
});

export default hello.handler(async ({ input, attempt }) => {
  if (attempt === 1) throw new Error("the first attempt always fails");
  return `Hello, ${input.name}!`;
});
