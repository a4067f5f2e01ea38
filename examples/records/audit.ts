import { defineJob } from "millrace";
import { type ExecutionRecord, executionRecords, ndjsonRecords } from "millrace/telemetry";

export const charge = defineJob<{ order: string; cardNumber: string }>({
  name: "billing.charge",
  queue: "billing",
  retry: { attempts: 3, base: "1s", jitter: false },
});

/** Every attempt goes to files; those after which a job is dead go to whoever has to know, too. */
export function audit(dir: string, tell: (record: ExecutionRecord) => void) {
  return executionRecords({
    handlers: [
      ndjsonRecords({ dir, keepMs: 365 * 86_400_000 }),
      {
        name: "alert",
        write: async (records) => {
          for (const record of records) if (record.state === "dead") tell(record);
        },
        close: async () => {},
      },
    ],
  });
}
