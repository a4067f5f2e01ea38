import type { Msg } from "@nats-io/nats-core";
import { QUEUE, type Script, WORKERS } from "./scripts.ts";
import { acked, ANSWER_MS, pull, pullNow, type Talk, untilRemoved } from "./talk.ts";

const NS = 1e6;
/** So long is waited for an answer that may not come. */
const SILENCE_MS = 5_000;
export const LASTING = {
  ...QUEUE,
  max_msgs: -1,
  duplicate_window: 60_000 * NS,
};
/** All that a server did is written down by then, and the others have heard of it. */
function rest(talk: Talk): Promise<void> {
  return talk.pass(talk.replicas > 1 ? 3_000 : 1_500);
}

function queue(talk: Talk): Promise<void> {
  return queueFrom(talk, undefined);
}

/** As many digits as microseconds since 1970 have. */
const FIRST = 1_764_000_000_000_000;

async function queueFrom(talk: Talk, first: number | undefined): Promise<void> {
  const from = first === undefined ? {} : { first_seq: first };
  await talk.api("STREAM.CREATE.Q", { ...LASTING, ...from, num_replicas: talk.replicas });
  await talk.api("CONSUMER.DURABLE.CREATE.Q.W", {
    ...{ stream_name: "Q", action: "create" },
    config: { ...WORKERS, ack_wait: talk.leaseMs * NS },
  });
}

/** Of a holder, who waits for what the server says to it. */
async function answer(talk: Talk, delivery: Msg | undefined, word: string): Promise<void> {
  try {
    const reply = await talk.nc.request(delivery?.reply ?? "", word, { timeout: SILENCE_MS });
    talk.note(`${word}: ${reply.string()}`);
    if (word === "+ACK") await untilRemoved(talk);
  } catch (error) {
    talk.note(`${word}: ${(error as Error).name}`);
  }
}

const id = (text: string): Readonly<Record<string, string>> => ({ "Nats-Msg-Id": text });

/** What a server knows that failed when it had nothing left to write down. */
export const AT_REST: readonly Script[] = [
  {
    name: "at rest: message ids, acks and what lies in a stream",
    say: async (talk) => {
      await queue(talk);
      for (const name of ["1", "2", "3", "4"]) await talk.put("q", name, id(name));
      const heard = talk.hear();
      await pullNow(talk, heard.inbox, 1);
      const [one] = await heard.come(1);
      await acked(talk, one);
      await talk.put("q", "1", id("1"));
      await rest(talk);
      await talk.fail();
      await talk.api("STREAM.INFO.Q", { subjects_filter: ">" });
      await talk.api("CONSUMER.INFO.Q.W");
      // What lies in the stream is known; of what has left it, a cluster knows and a server that
      // was killed does not.
      await talk.put("q", "1", id("1"));
      await talk.put("q", "2", id("2"));
      await talk.put("q", "1", id("1"));
      await pullNow(talk, heard.inbox, 9);
      await heard.come(5);
    },
  },
  {
    name: "at rest: a stream that is made anew from a later number, and what is held of the old one",
    say: async (talk) => {
      await queueFrom(talk, FIRST);
      await talk.put("q", "1", id("1"));
      await talk.put("q", "2", id("2"));
      const heard = talk.hear();
      await pullNow(talk, heard.inbox, 1);
      const [old] = await heard.come(1);
      await rest(talk);
      await talk.fail();
      // Its very first message lies in it still.
      await talk.api("STREAM.INFO.Q", { subjects_filter: ">" });
      await talk.api("CONSUMER.INFO.Q.W");
      await talk.put("q", "3", id("3"));
      await talk.api("STREAM.DELETE.Q");
      await queueFrom(talk, FIRST + 1_000);
      await talk.api("STREAM.INFO.Q", { subjects_filter: ">" });
      await talk.put("q", "a", id("1"));
      await pullNow(talk, heard.inbox, 1);
      const [anew] = await heard.come(1);
      for (const word of ["+WPI", "-NAK", "+ACK"]) await answer(talk, old, word);
      await talk.api("CONSUMER.INFO.Q.W");
      await talk.api("STREAM.INFO.Q", { subjects_filter: ">" });
      await answer(talk, anew, "+ACK");
      await talk.api("STREAM.INFO.Q", { subjects_filter: ">" });
      await rest(talk);
      await talk.fail();
      await talk.put("q", "b", id("4"));
    },
  },
  {
    name: "at rest: a stream that was emptied counts on",
    say: async (talk) => {
      await queue(talk);
      await talk.put("q", "1", id("1"));
      await talk.put("q", "2", id("2"));
      const heard = talk.hear();
      await pullNow(talk, heard.inbox, 2);
      for (const delivery of await heard.come(2)) await acked(talk, delivery);
      await rest(talk);
      await talk.fail();
      await talk.api("STREAM.INFO.Q");
      await talk.put("q", "2", id("2"));
      await pullNow(talk, heard.inbox, 2);
      await heard.come(2);
    },
  },
  {
    name: "at rest: deliveries are counted, and come again",
    say: async (talk) => {
      await queue(talk);
      for (const name of ["a", "b"]) await talk.put("q", name);
      const heard = talk.hear();
      await pullNow(talk, heard.inbox, 2);
      await heard.come(2);
      await rest(talk);
      await talk.fail();
      await talk.api("CONSUMER.INFO.Q.W");
      // At once, or when their leases end?
      pull(talk, heard.inbox, { batch: 2, expires: (talk.leaseMs / 4) * NS });
      await heard.come(2, 300);
      await talk.pass(2 * talk.leaseMs);
      await pullNow(talk, heard.inbox, 2);
      await heard.come(2);
      await rest(talk);
      await talk.fail();
      await talk.pass(talk.leaseMs + 500);
      await pullNow(talk, heard.inbox, 2);
      await heard.come(2);
    },
  },
  {
    name: "at rest: what its holder extended, gave back for later, and acks afterwards",
    say: async (talk) => {
      await queue(talk);
      for (const name of ["a", "b", "c"]) await talk.put("q", name);
      const heard = talk.hear();
      await pullNow(talk, heard.inbox, 3);
      const [a, b, c] = await heard.come(3);
      talk.nc.publish(a?.reply ?? "", "+WPI");
      talk.nc.publish(b?.reply ?? "", `-NAK {"delay":${4 * talk.leaseMs * NS}}`);
      await talk.nc.flush();
      await rest(talk);
      await talk.fail();
      // The holder of c lived through it.
      await acked(talk, c);
      await talk.api("CONSUMER.INFO.Q.W");
      await talk.api("STREAM.INFO.Q");
      await talk.pass(talk.leaseMs + 500);
      await pullNow(talk, heard.inbox, 3);
      await heard.come(2);
    },
  },
  {
    name: "at rest: one message a subject, compared and set",
    say: async (talk) => {
      const kept = { name: "L", subjects: ["l.>"], retention: "limits", discard: "new" };
      await talk.api("STREAM.CREATE.L", {
        ...{ ...kept, max_msgs_per_subject: 1, allow_direct: true, num_replicas: talk.replicas },
        duplicate_window: 60_000 * NS,
      });
      const after = (seq: number): Readonly<Record<string, string>> => ({
        "Nats-Expected-Last-Subject-Sequence": String(seq),
      });
      await talk.put("l.a", "1", { ...after(0), ...id("a") });
      await talk.put("l.b", "2", after(0));
      await talk.put("l.a", "3", after(1));
      await rest(talk);
      await talk.fail();
      await talk.put("l.a", "4", after(1));
      await talk.put("l.a", "4", after(3));
      await talk.put("l.b", "5", after(0));
      await talk.put("l.c", "5", { ...after(0), ...id("a") });
      await talk.api("STREAM.INFO.L", { subjects_filter: ">" });
    },
  },
];

/**
 * What a server was doing when it failed: it knows of it or has forgotten it. A stream may know of
 * an ack that its consumer has forgotten.
 */
export const AT_WORK: readonly Script[] = [
  {
    name: "right after a delivery",
    say: async (talk) => {
      await queue(talk);
      await talk.put("q", "a");
      await rest(talk);
      const heard = talk.hear();
      await pullNow(talk, heard.inbox, 1);
      await heard.come(1);
      await talk.fail();
      await talk.pass(talk.leaseMs + 500);
      await pullNow(talk, heard.inbox, 1);
      await heard.come(1);
      await talk.api("STREAM.INFO.Q");
    },
  },
  {
    name: "right after an ack",
    say: async (talk) => {
      await queue(talk);
      await talk.put("q", "a");
      await talk.put("q", "b");
      const heard = talk.hear();
      await pullNow(talk, heard.inbox, 1);
      const [a] = await heard.come(1);
      await rest(talk);
      await talk.nc.request(a?.reply ?? "", "+ACK", { timeout: ANSWER_MS });
      await talk.fail();
      await talk.pass(talk.leaseMs + 500);
      await pullNow(talk, heard.inbox, 2);
      await heard.come(2);
      await talk.api("STREAM.INFO.Q");
    },
  },
  {
    name: "right after it has confirmed what it was sent",
    say: async (talk) => {
      await queue(talk);
      await talk.api("STREAM.CREATE.L", {
        ...{ name: "L", subjects: ["l.>"], retention: "limits", discard: "new" },
        ...{ max_msgs_per_subject: 1, allow_direct: true, num_replicas: talk.replicas },
        duplicate_window: 60_000 * NS,
      });
      await talk.put("l.a", "1");
      await rest(talk);
      await talk.put("q", "a", id("a"));
      await talk.put("l.a", "2");
      await talk.fail();
      await talk.api("STREAM.INFO.L", { subjects_filter: ">" });
      await talk.put("q", "a", id("a"));
      await talk.put("l.a", "3", { "Nats-Expected-Last-Subject-Sequence": "2" });
    },
  },
];
