import { defineJob } from "@millrace/core";

const retry = { attempts: 1_000, backoff: "fixed", base: "500ms" } as const;

export const charge = defineJob<{ order: number }>({ name: "charge", queue: "orders", retry });
export const receipt = defineJob<{ order: number }>({ name: "receipt", queue: "receipts", retry });

export const chargeId = (order: number): string => `charge-${order}`;
export const receiptId = (order: number): string => `receipt-${order}`;
