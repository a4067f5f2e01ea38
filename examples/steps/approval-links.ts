import { createHmac, timingSafeEqual } from "node:crypto";
import type { Millrace } from "millrace";
import { approval, order } from "./approved-order.ts";

/** Your web framework hands over what stands in the link: `/answer/<id>/<answer>?sig=…`. */
export interface Click {
  readonly id: string;
  readonly answer: string;
  readonly signature: string;
}

export function signatureOf(secret: string, id: string, answer: string): string {
  return createHmac("sha256", secret).update(`${id}/${answer}`).digest("base64url");
}

/** @returns the status of the HTTP answer */
export async function onClick(millrace: Millrace, secret: string, click: Click): Promise<number> {
  const { id, answer } = click;
  const expected = Buffer.from(signatureOf(secret, id, answer));
  const given = Buffer.from(click.signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 403;
  const value = { ok: answer === "yes", by: "the link" };
  try {
    // One id for both links: the first click counts, whichever it is.
    await millrace.signal(order, id, approval, value, { id: `click-${id}` });
    return 200;
  } catch (error) {
    if ((error as { code?: string }).code === "job-ended") return 410;
    throw error;
  }
}
