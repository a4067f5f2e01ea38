import type { JetStreamManager } from "@nats-io/jetstream";
import { MillraceError } from "../errors.ts";
import { request } from "../jetstream-errors.ts";

/** Epoch milliseconds by the clock that dates the messages of this stream. */
export function serverNow(jsm: JetStreamManager, stream: string): Promise<number> {
  return request("read the server's time", async () => {
    const { ts } = await jsm.streams.info(stream);
    const now = Date.parse(ts ?? "");
    if (Number.isNaN(now))
      throw new MillraceError(
        "server-too-old",
        "The server does not tell its time. Upgrade nats-server to 2.10 or newer.",
      );
    return now;
  });
}
