import { headers } from "@nats-io/nats-core";
import { LASTING } from "./failure-scripts.ts";
import { type Script, WORKERS } from "./scripts.ts";
import { pull, pullNow, type Talk } from "./talk.ts";

const NS = 1e6;
const UNANSWERED_MS = 1_500;
/** Far longer than the lease. */
const COMES_MS = 30_000;

/** What the leader of a stream and its consumer did while it was cut off from the majority. */
export const PARTED: readonly Script[] = [
  {
    name: "deliveries, acks, extensions and messages without a majority are forgotten",
    say: async (talk) => {
      const named = { stream_name: "Q", action: "create" };
      await talk.api("STREAM.CREATE.Q", { ...LASTING, num_replicas: talk.replicas });
      await talk.api("CONSUMER.DURABLE.CREATE.Q.W", {
        ...named,
        config: { ...WORKERS, ack_wait: talk.leaseMs * NS },
      });
      for (const name of ["a", "b", "c"]) await talk.put("q", name, { "Nats-Msg-Id": name });
      const heard = talk.hear();
      await pullNow(talk, heard.inbox, 2);
      const [a, b] = await heard.come(2);
      const heal = await talk.part();
      const answered = await Promise.all([
        isAnswered(talk, "q", "d", { "Nats-Msg-Id": "d" }),
        isAnswered(talk, a?.reply ?? "", "+ACK"),
      ]);
      talk.note(`answered without a majority: ${answered.join(" and ")}`);
      if (b?.reply) talk.nc.publish(b.reply, "+WPI");
      // For how long the old leader delivers is a question of time.
      const alone = talk.hear();
      pull(talk, alone.inbox, { batch: 1, expires: UNANSWERED_MS * NS });
      await talk.pass(UNANSWERED_MS);
      alone.stop();
      await heal();
      await talk.pass(talk.leaseMs);
      await talk.api("STREAM.INFO.Q", { subjects_filter: ">" });
      await talk.put("q", "b", { "Nats-Msg-Id": "b" });
      await talk.put("q", "d", { "Nats-Msg-Id": "d" });
      // What was given out before comes again when its lease has ended, which a new leader looks at
      // in its own time: perhaps after what it gives out at once.
      pull(talk, heard.inbox, { batch: 4, expires: COMES_MS * NS });
      await heard.gather(4, COMES_MS);
      await talk.api("CONSUMER.INFO.Q.W");
    },
  },
];

async function isAnswered(
  { nc }: Talk,
  to: string,
  data: string,
  fields: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  const block = headers();
  for (const [name, value] of Object.entries(fields)) block.set(name, value);
  try {
    await nc.request(to, data, { timeout: UNANSWERED_MS, headers: block });
    return true;
  } catch {
    return false;
  }
}
