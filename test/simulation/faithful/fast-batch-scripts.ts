import { createInbox, headers as newHeaders } from "@nats-io/nats-core";
import { QUEUE, type Script } from "./scripts.ts";
import type { Talk } from "./talk.ts";

const HISTORY = {
  ...{ ...QUEUE, name: "H", subjects: ["h.>"], retention: "limits" },
  ...{ max_msg_size: 200, duplicate_window: 100e6, allow_batched: true },
};

/** The last word of a message's place: it begins, goes on, ends with itself, or only ends. */
const WORDS = ["first", "next", "last", "end"];
const FIRST_OF_SUBJECT = { "Nats-Expected-Last-Subject-Sequence": "0" };

/** Sends what is listed in one go, and writes down the answers of all of it. */
async function batch(
  talk: Talk,
  id: string,
  messages: readonly string[],
  answers: number,
): Promise<void> {
  const inbox = createInbox();
  const heard = talk.hear(`${inbox}.>`);
  for (const message of messages) {
    const [place = "", word = "", subject = "h.end", size = "5"] = message.split(" ");
    const block = newHeaders();
    for (const [name, value] of Object.entries(FIRST_OF_SUBJECT)) block.set(name, value);
    talk.nc.publish(subject, "x".repeat(Number(size)), {
      reply: `${inbox}.${id}.1000.fail.${place}.${WORDS.indexOf(word)}.$FI`,
      ...(word === "end" ? {} : { headers: block }),
    });
  }
  const came: string[] = [];
  while (came.length < answers) {
    const [one] = heard.msgs.splice(0, 1);
    if (one === undefined) await talk.pass(10);
    else came.push(`${one.subject.slice(inbox.length)} ${one.string()}`);
  }
  for (const line of came) talk.note(line);
  heard.stop();
}

export const FAST_BATCH_SCRIPTS: readonly Script[] = [
  {
    name: "a batch that is acknowledged as one, by its last message or without one",
    say: async (talk) => {
      await talk.api("STREAM.CREATE.H", HISTORY);
      await batch(talk, "a", ["1 first h.1", "2 next h.2", "3 next h.3", "4 last h.4"], 2);
      await batch(talk, "b", ["1 first h.5", "2 next h.6", "3 end"], 2);
      await batch(talk, "c", ["1 last h.7"], 1);
      await talk.api("STREAM.INFO.H", { subjects_filter: ">" });
    },
  },
  {
    name: "a batch of which one is refused: in the middle, at first, at last",
    say: async (talk) => {
      await talk.api("STREAM.CREATE.H", HISTORY);
      await talk.put("h.1", "there");
      await batch(talk, "a", ["1 first h.2", "2 next h.1", "3 next h.3", "4 last h.4"], 5);
      await batch(talk, "b", ["1 first h.1", "2 next h.5", "3 last h.6"], 4);
      await batch(talk, "c", ["1 first h.7", "2 next h.8", "3 last h.1"], 3);
      await talk.api("STREAM.INFO.H", { subjects_filter: ">" });
    },
  },
  {
    name: "a batch of which one is too large, or missing",
    say: async (talk) => {
      await talk.api("STREAM.CREATE.H", HISTORY);
      await batch(talk, "a", ["1 first h.1", "2 next h.2 500", "3 next h.3", "4 last h.4"], 5);
      await batch(talk, "b", ["1 first h.5", "2 last h.6 500", "2 end"], 3);
      await batch(talk, "c", ["1 first h.7", "2 next h.8", "4 last h.9"], 3);
      await batch(talk, "d", ["2 next h.10"], 1);
      await talk.api("STREAM.INFO.H", { subjects_filter: ">" });
    },
  },
  {
    name: "a batch for a stream that takes none",
    say: async (talk) => {
      await talk.api("STREAM.CREATE.H", { ...HISTORY, allow_batched: false });
      await batch(talk, "a", ["1 first h.1", "2 next h.2", "3 last h.3"], 3);
      await talk.api("STREAM.INFO.H", { subjects_filter: ">" });
    },
  },
];
