import { type NatsConnection, NoRespondersError, RequestError } from "@nats-io/nats-core";

/**
 * Why nobody answered a publish. `exists`: a stream takes the subject, so its leader is being elected; `unknown`: the server
 * couldn't be asked.
 */
export type StreamLookup = "exists" | "absent" | "no-jetstream" | "unknown";

export async function lookUpStream(nc: NatsConnection, subject: string): Promise<StreamLookup> {
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
    if (
      error instanceof NoRespondersError ||
      (error instanceof RequestError && error.isNoResponders())
    )
      return "no-jetstream";
    // Without the permission to ask, the plainest explanation of silence stands.
    if (
      error instanceof Error &&
      /permissions violation/i.test(`${error.message} ${String(error.cause)}`)
    )
      return "absent";
    return "unknown";
  }
}
