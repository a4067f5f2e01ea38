import { defineJob } from "millrace";

export const QUEUE = "billing";
export const charge = defineJob<{ readonly n: number }>({ name: "billing.charge", queue: QUEUE });
