import { defineJob } from "millrace";
import { z } from "zod";

export const makeInvoice = defineJob({
  name: "invoice.make",
  queue: "invoices",
  input: z.object({ order: z.string().min(1), cents: z.number().int().positive() }),
  output: z.object({ file: z.string() }),
  retry: { attempts: 8, base: "2s", max: "10m" },
  timeout: "2m",
});
