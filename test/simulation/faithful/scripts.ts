import { Buffer } from "node:buffer";
import type { Msg } from "@nats-io/nats-core";
import { ANSWER_MS, pull, pullNow, type Talk, untilRemoved } from "./talk.ts";

export interface Script {
  readonly name: string;
  readonly say: (talk: Talk) => Promise<void>;
}

const NS = 1e6;
/**
 * How long a stream of a script knows a message id, and a consumer waits for an ack. What has to be
 * said meanwhile takes a hundredth of it, and on a busy machine a tenth.
 */
const KNOWN_MS = 8_000;
const LEASE_MS = 4_000;
/** No answer comes: so long is waited for none. */
const SILENCE_MS = 1_000;

export const QUEUE = {
  name: "Q",
  subjects: ["q", "q.high"],
  retention: "workqueue",
  discard: "new",
  max_msgs: 3,
  allow_direct: true,
  duplicate_window: KNOWN_MS * NS,
  num_replicas: 1,
  storage: "file",
};
export const WORKERS = {
  durable_name: "W",
  filter_subjects: ["q"],
  ack_policy: "explicit",
  deliver_policy: "all",
  replay_policy: "instant",
  ack_wait: LEASE_MS * NS,
  max_deliver: -1,
  max_ack_pending: 50_000,
  max_waiting: 10,
};
const LAST = {
  name: "L",
  subjects: ["l.>"],
  retention: "limits",
  discard: "old",
  max_msgs_per_subject: 1,
  allow_direct: true,
  duplicate_window: 100 * NS,
  num_replicas: 1,
};

async function queue(talk: Talk): Promise<void> {
  await talk.api("STREAM.CREATE.Q", QUEUE);
  await talk.api("CONSUMER.DURABLE.CREATE.Q.W", {
    stream_name: "Q",
    config: WORKERS,
    action: "create",
  });
}

/** What a holder says of its delivery. */
function tell(talk: Talk, delivery: Msg | undefined, word: string): void {
  if (delivery?.reply) talk.nc.publish(delivery.reply, word);
  else talk.note(`nothing to say ${word} to`);
}

/** What came, without the server's words about a pull. */
const delivered = (came: readonly Msg[]): Msg | undefined => came.find(({ reply }) => reply);

/** The same, and it has taken effect. */
async function answered(talk: Talk, delivery: Msg | undefined, word: string): Promise<void> {
  await talk.nc.request(delivery?.reply ?? "", word, { timeout: ANSWER_MS });
}

export const SCRIPTS: readonly Script[] = [
  {
    name: "the API of streams",
    say: async (talk) => {
      await talk.api("STREAM.INFO.Q");
      await talk.api("STREAM.CREATE.Q", QUEUE);
      await talk.api("STREAM.CREATE.Q", { ...QUEUE, max_msgs: 4 });
      await talk.api("STREAM.CREATE.P", { ...QUEUE, name: "P" });
      await talk.api("STREAM.UPDATE.Q", { ...QUEUE, subjects: ["q.high"] });
      await talk.put("q", "nobody takes it");
      await talk.put("q.high", "one");
      await talk.api("STREAM.UPDATE.N", { ...QUEUE, name: "N" });
      await talk.api("STREAM.INFO.Q", { subjects_filter: ">" });
      await talk.api("STREAM.NAMES", { subject: "q.high" });
      await talk.api("STREAM.NAMES", { subject: "q" });
      await talk.api("STREAM.NAMES", { subject: "q.>", offset: 0 });
      await talk.api("STREAM.NAMES");
      await talk.api("STREAM.DELETE.Q");
      await talk.api("STREAM.DELETE.Q");
      await talk.api("STREAM.PURGE.Q");
      await talk.api("STREAM.NAMES");
    },
  },
  {
    name: "what a stream takes",
    say: async (talk) => {
      await talk.api("STREAM.CREATE.Q", { ...QUEUE, max_msg_size: 100 });
      await talk.put("q", "a", { "Nats-Msg-Id": "1" });
      await talk.put("q", "a", { "Nats-Msg-Id": "1" });
      await talk.put("q.high", "a", {
        "Nats-Msg-Id": "1",
        "Nats-Expected-Last-Subject-Sequence": "7",
      });
      await talk.put("q", "b", { "Nats-Expected-Last-Subject-Sequence": "7" });
      await talk.put("q", "b", { "Nats-Expected-Last-Subject-Sequence": "0" });
      await talk.put("q", "b", { "Nats-Expected-Last-Subject-Sequence": "1" });
      await talk.put("q.high", "b", { "Nats-Expected-Last-Subject-Sequence": "0" });
      await talk.put("q", "too many");
      await talk.put("q", "x".repeat(200));
      await talk.put("q", "a", { "Nats-Msg-Id": "1" });
      await talk.api("STREAM.UPDATE.Q", { ...QUEUE, max_msgs: -1, max_bytes: 200 });
      await talk.put("q", "y".repeat(150));
      await talk.pass(1.3 * KNOWN_MS);
      await talk.put("q", "a", { "Nats-Msg-Id": "1" });
      await talk.put("q", "a", { "Nats-Schedule": "nonsense" });
    },
  },
  {
    name: "one message a subject, and what is read of it",
    say: async (talk) => {
      await talk.api("STREAM.CREATE.L", LAST);
      await talk.put("l.a", "1", { one: "x" });
      await talk.put("l.b", "2");
      await talk.put("l.a", "3", { "Nats-Expected-Last-Subject-Sequence": "1" });
      await talk.put("l.c.d", "4");
      for (const query of [
        { seq: 1 },
        { seq: 2 },
        { seq: 9 },
        { last_by_subj: "l.a" },
        { last_by_subj: "l.*" },
        { last_by_subj: "l.x" },
        { seq: 3, next_by_subj: "l.*" },
        { seq: 1, next_by_subj: "l.c.>" },
        { seq: 4, next_by_subj: "l.a" },
      ])
        await talk.api("STREAM.MSG.GET.L", query);
      await talk.api("STREAM.MSG.GET.N", { seq: 1 });
      const heard = talk.hear();
      const direct = async (subject: string, body: unknown, count: number): Promise<void> => {
        talk.nc.publish(`$JS.API.DIRECT.GET.${subject}`, body === "" ? "" : JSON.stringify(body), {
          reply: heard.inbox,
        });
        await heard.come(count);
      };
      await direct("L.l.a", "", 1);
      await direct("L.l.x", "", 1);
      await direct("N.l.x", "", 1);
      await direct("L", { seq: 2 }, 1);
      await direct("L", { last_by_subj: "l.a" }, 1);
      await direct("L", { seq: 1, batch: 2, next_by_subj: "l.>" }, 3);
      await direct("L", { seq: 1, batch: 9, next_by_subj: "l.>", max_bytes: 1_000_000 }, 4);
      await direct("L", { seq: 9, batch: 9 }, 1);
      await direct("L", { seq: 1, batch: 9, next_by_subj: "l.x" }, 1);
      await talk.api("STREAM.INFO.L", { subjects_filter: "l.*" });
      await talk.api("STREAM.INFO.L", { subjects_filter: "l.x" });
      // One between others, and then the first: the server says of each otherwise that it is gone.
      await talk.api("STREAM.MSG.DELETE.L", { seq: 3, no_erase: true });
      await talk.api("STREAM.MSG.DELETE.L", { seq: 3, no_erase: true });
      await talk.api("STREAM.MSG.DELETE.L", { seq: 2, no_erase: true });
      await talk.api("STREAM.MSG.DELETE.L", { seq: 2, no_erase: true });
      await talk.api("STREAM.MSG.DELETE.L", { seq: 77, no_erase: true });
      await talk.put("l.a", "5");
      await talk.api("STREAM.PURGE.L", { filter: "l.a", seq: 5 });
      await talk.api("STREAM.PURGE.L", { filter: "l.a", seq: 6 });
      await talk.api("STREAM.PURGE.L", { filter: "l.a" });
      await talk.api("STREAM.PURGE.L");
      await talk.api("STREAM.INFO.L");
      await talk.put("l.a", "5", { "Nats-Expected-Last-Subject-Sequence": "0" });
    },
  },
  {
    name: "the API of consumers",
    say: async (talk) => {
      await talk.api("CONSUMER.INFO.Q.W");
      await talk.api("CONSUMER.DURABLE.CREATE.Q.W", {
        stream_name: "Q",
        config: WORKERS,
        action: "create",
      });
      await queue(talk);
      await talk.api("CONSUMER.INFO.Q.N");
      await talk.api("CONSUMER.DURABLE.CREATE.Q.W", {
        stream_name: "Q",
        config: WORKERS,
        action: "create",
      });
      await talk.api("CONSUMER.DURABLE.CREATE.Q.W", {
        stream_name: "Q",
        config: { ...WORKERS, ack_wait: 2 * LEASE_MS * NS },
        action: "create",
      });
      await talk.api("CONSUMER.DURABLE.CREATE.Q.W", {
        stream_name: "Q",
        config: { ...WORKERS, ack_wait: 2 * LEASE_MS * NS, filter_subjects: ["q", "q.high"] },
        action: "update",
      });
      await talk.api("CONSUMER.DURABLE.CREATE.Q.X", {
        stream_name: "Q",
        config: { ...WORKERS, durable_name: "X", filter_subjects: ["q.high"] },
        action: "create",
      });
      await talk.api("CONSUMER.LIST.Q", { offset: 0 });
      await talk.api("CONSUMER.DELETE.Q.W");
      await talk.api("CONSUMER.DELETE.Q.W");
    },
  },
  {
    name: "pulls",
    say: async (talk) => {
      await queue(talk);
      const heard = talk.hear();
      await pullNow(talk, heard.inbox, 1);
      await heard.come(1);
      await talk.put("q", "a");
      await pullNow(talk, heard.inbox, 3);
      const [a] = await heard.come(2);
      pull(talk, heard.inbox, { batch: 2, expires: 3_000 * NS, idle_heartbeat: 1_000 * NS });
      await heard.come(3);
      await talk.api("CONSUMER.INFO.Q.W");
      talk.note("an ack that is asked for");
      const answer = await talk.nc.request(a?.reply ?? "", "+ACK", { timeout: ANSWER_MS });
      talk.note(`answer ${answer.data.length}`);
      const again = await talk.nc.request(a?.reply ?? "", "+WPI", { timeout: ANSWER_MS });
      talk.note(`answer ${again.data.length}`);
      await talk.api("STREAM.INFO.Q");
      pull(talk, heard.inbox, { batch: 2, expires: 20_000 * NS, max_bytes: 40 });
      await talk.put("q", "x".repeat(100));
      await heard.come(1);
      pull(talk, heard.inbox, { batch: 5, expires: 1_000 * NS, max_bytes: 1_000_000 });
      await heard.come(1);
      await heard.come(1);
      await talk.api("CONSUMER.DELETE.Q.W");
      pull(talk, heard.inbox, { batch: 1, expires: 1_000 * NS });
      await heard.come(1);
      try {
        await talk.nc.request("$JS.ACK.Q.W.1.1.1.1700000000000000000.0", "+ACK", {
          timeout: SILENCE_MS,
        });
        talk.note("answered");
      } catch (error) {
        talk.note((error as Error).name);
      }
    },
  },
  {
    name: "pulls that wait are served in turn, and end with their consumer",
    say: async (talk) => {
      await talk.api("STREAM.CREATE.Q", { ...QUEUE, max_msgs: -1 });
      await talk.api("CONSUMER.DURABLE.CREATE.Q.W", {
        stream_name: "Q",
        config: WORKERS,
        action: "create",
      });
      const [one, two, gone] = [talk.hear(), talk.hear(), talk.hear()];
      pull(talk, gone.inbox, { batch: 5, expires: 20_000 * NS });
      pull(talk, one.inbox, { batch: 3, expires: 20_000 * NS });
      pull(talk, two.inbox, { batch: 2, expires: 20_000 * NS });
      await talk.nc.flush();
      gone.stop();
      await talk.nc.flush();
      for (const data of ["a", "b", "c", "d"]) await talk.put("q", data);
      await one.come(2);
      await two.come(2);
      await talk.api("CONSUMER.DELETE.Q.W");
      await one.come(1);
      await two.come(0, 100);
    },
  },
  {
    name: "a lease that runs out, and what its late holder says",
    say: async (talk) => {
      await queue(talk);
      await talk.put("q", "a");
      await talk.put("q", "b");
      const heard = talk.hear();
      pull(talk, heard.inbox, { batch: 2, expires: 0.5 * LEASE_MS * NS });
      const [a, b] = await heard.come(2);
      await talk.pass(0.7 * LEASE_MS);
      // Extended by its holder: it stays away for longer.
      tell(talk, a, "+WPI");
      await talk.nc.flush();
      pull(talk, heard.inbox, { batch: 2, expires: 0.6 * LEASE_MS * NS });
      await heard.come(1, 0.5 * LEASE_MS);
      await talk.api("CONSUMER.INFO.Q.W");
      // The first holder of b acks what another has now.
      tell(talk, b, "+ACK");
      await talk.nc.flush();
      await talk.pass(0.8 * LEASE_MS);
      await pullNow(talk, heard.inbox, 2);
      const again = delivered(await heard.come(2));
      await answered(talk, again, "-NAK");
      await pullNow(talk, heard.inbox, 2);
      const third = delivered(await heard.come(2));
      await answered(talk, third, `-NAK {"delay":${0.5 * LEASE_MS * NS}}`);
      await pullNow(talk, heard.inbox, 2);
      await heard.come(1);
      await talk.pass(0.7 * LEASE_MS);
      await pullNow(talk, heard.inbox, 2);
      const fourth = delivered(await heard.come(2));
      await answered(talk, fourth, "+TERM");
      await untilRemoved(talk);
      await talk.api("STREAM.INFO.Q");
    },
  },
  {
    name: "an extension that comes after the lease ran out and before another has it",
    say: async (talk) => {
      await queue(talk);
      await talk.put("q", "a");
      const heard = talk.hear();
      pull(talk, heard.inbox, { batch: 1, expires: 0.5 * LEASE_MS * NS });
      const [a] = await heard.come(1);
      await talk.pass(1.3 * LEASE_MS);
      tell(talk, a, "+WPI");
      await talk.nc.flush();
      await pullNow(talk, heard.inbox, 1);
      await heard.come(1);
    },
  },
  {
    name: "a reader that is sent what is written",
    say: async (talk) => {
      await talk.api("STREAM.CREATE.L", LAST);
      await talk.put("l.a", "1");
      await talk.put("l.b", "2");
      const heard = talk.hear();
      await talk.api("CONSUMER.CREATE.L.R.l.>", {
        stream_name: "L",
        action: "create",
        config: {
          name: "R",
          deliver_subject: heard.inbox,
          deliver_policy: "by_start_sequence",
          opt_start_seq: 2,
          filter_subject: "l.>",
          ack_policy: "none",
          max_deliver: 1,
          flow_control: true,
          idle_heartbeat: 2_000 * NS,
          inactive_threshold: 20_000 * NS,
          mem_storage: true,
          num_replicas: 1,
        },
      });
      await heard.come(1);
      await talk.put("l.c", "3");
      await heard.come(1);
      await heard.come(2, 20_000);
      heard.stop();
    },
  },
  {
    name: "a schedule",
    say: async (talk) => {
      await talk.api("STREAM.CREATE.D", {
        name: "D",
        subjects: ["delayed.>", "due.>"],
        retention: "workqueue",
        discard: "old",
        max_msgs_per_subject: 1,
        allow_direct: true,
        allow_msg_schedules: true,
        duplicate_window: KNOWN_MS * NS,
        num_replicas: 1,
      });
      const at = new Date(talk.now() + 0.75 * KNOWN_MS).toISOString();
      const headers = {
        "Nats-Schedule": `@at ${at}`,
        "Nats-Schedule-Target": "due.a",
        "Nats-Msg-Id": "m",
        own: "x",
      };
      await talk.put("delayed.a", "1", headers);
      await talk.put("delayed.a", "2", { ...headers, "Nats-Msg-Id": "n" });
      await talk.put("delayed.b", "2", {
        "Nats-Schedule": "@at nonsense",
        "Nats-Schedule-Target": "due.b",
      });
      await talk.put("delayed.b", "2", {
        "Nats-Schedule": `@at ${at}`,
        "Nats-Schedule-Target": "elsewhere",
      });
      await talk.api("STREAM.INFO.D", { subjects_filter: ">" });
      await talk.pass(1.3 * KNOWN_MS);
      await talk.api("STREAM.INFO.D", { subjects_filter: ">" });
      const stored = (await talk.api("STREAM.MSG.GET.D", { last_by_subj: "due.a" })) as {
        message?: { hdrs?: string };
      };
      talk.note(Buffer.from(stored.message?.hdrs ?? "", "base64").toString());
    },
  },
];
