import type { NatsConnection } from "@nats-io/nats-core";
import { ELECTIONS_MS, isClustered } from "../connection/retrying-requests.ts";
import { isUnheard } from "../jetstream-errors.ts";
import { machineOf } from "../machine/machine.ts";
import { quietSleep } from "../machine/timers.ts";

/**
 * Why nobody answered a publish. `exists`: a stream takes the subject, so its leader is being
 * elected; `not-permitted`: this connection may not ask; `unknown`: the server couldn't be asked.
 */
export type StreamLookup = "exists" | "absent" | "no-jetstream" | "not-permitted" | "unknown";

/**
 * A metadata leader of 2.10 answers from the moment it is elected, before it knows the youngest
 * streams.
 */
const AGAIN_MS = 1_000;

/** In a cluster `absent` is what was said twice. */
export async function lookUpStream(
  nc: NatsConnection,
  subject: string,
  againMs = AGAIN_MS,
): Promise<StreamLookup> {
  const found = await ask(nc, subject);
  if (found !== "absent" || !isClustered(nc)) return found;
  await quietSleep(machineOf(nc).clock, againMs);
  return ask(nc, subject);
}

/**
 * The same for who has to know: in a cluster, where nobody could say, it is asked again until two
 * elections may be over. The leader of the streams' names may die between one question and the
 * next.
 */
export async function lookUpStreamPatiently(
  nc: NatsConnection,
  subject: string,
  { againMs = AGAIN_MS, patienceMs = ELECTIONS_MS }: { againMs?: number; patienceMs?: number } = {},
): Promise<StreamLookup> {
  const { clock } = machineOf(nc);
  const deadline = clock.monotonic() + patienceMs;
  for (;;) {
    const found = await lookUpStream(nc, subject, againMs);
    const isSilence = found === "unknown" || found === "no-jetstream";
    if (!isSilence || !isClustered(nc) || clock.monotonic() > deadline) return found;
    await quietSleep(clock, againMs);
  }
}

async function ask(nc: NatsConnection, subject: string): Promise<StreamLookup> {
  try {
    const reply = await nc.request("$JS.API.STREAM.NAMES", JSON.stringify({ subject }), {
      timeout: 2_000,
    });
    const answer = reply.json<{ streams?: string[] | null; error?: { err_code?: number } }>();
    if (answer.error !== undefined)
      return answer.error.err_code === 10039 || answer.error.err_code === 10076
        ? "no-jetstream"
        : "unknown";
    return (answer.streams ?? []).length > 0 ? "exists" : "absent";
  } catch (error) {
    if (isUnheard(error)) return "no-jetstream";
    if (
      error instanceof Error &&
      /permissions violation/i.test(`${error.message} ${String(error.cause)}`)
    )
      return "not-permitted";
    return "unknown";
  }
}
