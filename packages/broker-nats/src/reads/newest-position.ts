import type { NewestOptions } from "@millrace/core";
import { request } from "../jetstream-errors.ts";
import type { ServerAccess } from "../store/server-access.ts";
import { behindBarrier } from "./behind-barrier.ts";
import { endsOf } from "./scan.ts";

/**
 * The position of the last message that a stream ever had, or the one before its first.
 *
 * @param of.doing completes "Could not …"
 */
export function newestPosition(
  server: ServerAccess,
  { stream, doing }: { readonly stream: string; readonly doing: string },
  { once = false }: NewestOptions = {},
): Promise<number> {
  const look = (): Promise<number> =>
    request(doing, async () => (await endsOf(server, stream))?.last ?? 0);
  return once ? behindBarrier(server, stream, look) : look();
}
