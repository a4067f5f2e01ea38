import { MillraceError } from "@millrace/core";
import { request } from "../jetstream-errors.ts";
import type { ServerAccess } from "./server-access.ts";

/** The clock of the server that leads the stream, epoch milliseconds. */
export function serverTime({ jsm }: ServerAccess, stream: string): Promise<number> {
  return request("read the server's time", async () => {
    const { ts } = await jsm.streams.info(stream);
    const now = Date.parse(ts ?? "");
    if (!Number.isNaN(now)) return now;
    throw new MillraceError(
      "server-too-old",
      "The server does not tell its time. Upgrade nats-server to 2.10 or newer.",
    );
  });
}
