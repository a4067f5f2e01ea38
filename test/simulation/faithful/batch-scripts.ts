import { QUEUE, type Script } from "./scripts.ts";
import type { Talk } from "./talk.ts";

const MARKED = {
  ...{ ...QUEUE, name: "B", subjects: ["b", "mark.>"], max_msgs: 5 },
  allow_atomic: true,
};

type Fields = Readonly<Record<string, string>>;

/** One message of a batch. */
function put(talk: Talk, at: string, subject: string, more: Fields = {}): Promise<void> {
  const [id = "", sequence = "", end] = at.split(" ");
  return talk.put(subject, at, {
    ...more,
    ...{ "Nats-Batch-Id": id, "Nats-Batch-Sequence": sequence },
    ...(end === "end" ? { "Nats-Batch-Commit": "1" } : {}),
  });
}

const mark = (after: number): Fields => ({
  "Nats-Expected-Last-Subject-Sequence": String(after),
});

/** Older servers know nothing of batches, and store each of the messages. */
export const BATCH_SCRIPTS: readonly Script[] = [
  {
    name: "messages that are stored as one, with a mark, and older marks that are purged",
    say: async (talk) => {
      await talk.api("STREAM.CREATE.B", MARKED);
      await put(talk, "x 1", "mark.a", mark(0));
      await put(talk, "x 2", "b", { "Nats-Msg-Id": "1" });
      await talk.api("STREAM.INFO.B", { subjects_filter: ">" });
      await put(talk, "x 3 end", "b", { "Nats-Msg-Id": "2" });
      await talk.api("STREAM.INFO.B", { subjects_filter: ">" });
      await put(talk, "y 1", "mark.a", mark(1));
      await put(talk, "y 2 end", "b", { "Nats-Msg-Id": "3" });
      await talk.api("STREAM.INFO.B", { subjects_filter: ">" });
      // No room: the older mark has a place of its own.
      await put(talk, "z 1 end", "mark.a", mark(4));
      await talk.api("STREAM.PURGE.B", { filter: "mark.a", keep: 1 });
      await talk.api("STREAM.PURGE.B", { filter: "mark.a", keep: 1 });
      await talk.api("STREAM.INFO.B", { subjects_filter: ">" });
      await put(talk, "w 1 end", "mark.a", mark(4));
      await talk.api("STREAM.INFO.B", { subjects_filter: ">" });
    },
  },
  {
    name: "a batch of which one can't be stored",
    say: async (talk) => {
      await talk.api("STREAM.CREATE.B", MARKED);
      await talk.put("b", "there", { "Nats-Msg-Id": "1" });
      await put(talk, "x 1", "mark.a", mark(0));
      await put(talk, "x 2 end", "b", { "Nats-Msg-Id": "1" });
      await put(talk, "y 1", "mark.a", mark(7));
      await put(talk, "y 2 end", "b", { "Nats-Msg-Id": "2" });
      await put(talk, "z 2 end", "b", { "Nats-Msg-Id": "3" });
      await put(talk, "w 1", "mark.b", mark(0));
      await put(talk, "w 3 end", "b", { "Nats-Msg-Id": "4" });
      await talk.api("STREAM.INFO.B", { subjects_filter: ">" });
    },
  },
  {
    name: "what asks whether an id is known",
    say: async (talk) => {
      await talk.api("STREAM.CREATE.B", MARKED);
      await talk.put("b", "there", { "Nats-Msg-Id": "1" });
      const asked = { "Nats-Expected-Last-Sequence": "9007199254740991" };
      await put(talk, "x 1 end", "b", { ...asked, "Nats-Msg-Id": "1" });
      await put(talk, "y 1 end", "b", { ...asked, "Nats-Msg-Id": "2" });
      // A question leaves nothing behind.
      await put(talk, "z 1 end", "b", { ...asked, "Nats-Msg-Id": "2" });
      await talk.put("b", "new", { "Nats-Msg-Id": "2" });
      await talk.api("STREAM.INFO.B", { subjects_filter: ">" });
    },
  },
];
