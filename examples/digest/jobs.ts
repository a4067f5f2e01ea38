import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { defineJob } from "millrace";
import { z } from "zod";

const result = z.object({ sha256: z.string(), bytes: z.number(), lines: z.number() });
export type Digest = z.infer<typeof result>;

/** SHA-256, size and lines of one file. A producer imports this without the handler below. */
export const digest = defineJob({
  name: "digest.file",
  queue: "digest",
  input: z.object({ path: z.string() }),
  output: result,
  retry: { attempts: 3, backoff: "exponential", base: "200ms", jitter: true },
  timeout: "30s",
});

const NEWLINE = 0x0a;

export default digest.handler(async ({ input, signal }) => {
  const hash = createHash("sha256");
  let bytes = 0;
  let lines = 0;
  for await (const chunk of createReadStream(input.path, { signal }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
    for (const byte of chunk) if (byte === NEWLINE) lines += 1;
  }
  return { sha256: hash.digest("hex"), bytes, lines };
});
