import { defineJob, fatal, retryAfter } from "millrace";

export const charge = defineJob<{ order: string; cents: number }>({
  name: "payments.charge",
  queue: "payments",
  retry: { attempts: 10, base: "5s", max: "1h" },
});

/** Calls a payment provider that does a request with a known key only once. */
export const charging = (url: string) =>
  charge.handler(async ({ input, job, signal }) => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": job.id },
      body: JSON.stringify(input),
      signal,
    });
    if (response.status === 402) return fatal("the card was declined");
    if (response.status === 429) return retryAfter(`${secondsOf(response)}s`, "too many requests");
    if (!response.ok) throw new Error(`the provider answered ${response.status}`);
    return { receipt: await response.text() };
  });

function secondsOf(response: Response): number {
  const seconds = Number(response.headers.get("retry-after"));
  return seconds > 0 ? Math.ceil(seconds) : 30;
}
