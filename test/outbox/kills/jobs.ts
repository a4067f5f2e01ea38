import { defineJob } from "millrace";

/** The database may be away for many attempts. */
const retry = { attempts: 1_000, base: "200ms", max: "2s" } as const;

export const charge = defineJob<{ order: number }>({ name: "charge", queue: "orders", retry });
/** Enqueued with the charge, in its transaction. */
export const receipt = defineJob<{ order: number }>({ name: "receipt", queue: "receipts", retry });
