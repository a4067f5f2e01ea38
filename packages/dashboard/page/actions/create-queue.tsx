import { type ReactElement, useState } from "react";
import { useLocation } from "wouter";
import { Action } from "./action.tsx";
import { queueAddress } from "../words/addresses.ts";

const EMPTY = { queue: "", maxJobs: "", maxBytes: "" };

/** Makes a queue, so that producers may start before any node does. */
export function CreateQueue(): ReactElement {
  const [written, setWritten] = useState(EMPTY);
  const [, setLocation] = useLocation();
  const field = (name: keyof typeof EMPTY) => ({
    value: written[name],
    spellCheck: false,
    onChange: ({ target }: { readonly target: { readonly value: string } }) =>
      setWritten({ ...written, [name]: target.value }),
  });
  return (
    <Action
      label="Create a queue"
      question="Create a queue?"
      path="queues"
      body={written}
      done={({ count: created }) =>
        created === 1 ? `${written.queue} is created.` : `${written.queue} was there already.`
      }
      afterwards={() => setLocation(queueAddress(written.queue.trim()))}
      onOpen={() => setWritten(EMPTY)}
    >
      <p>
        Producers may enqueue in it at once; nothing runs until a node with jobs of it starts. One
        that is there already stays, with what it takes set anew where that is given.
      </p>
      <label>
        Name
        <input required maxLength={100} {...field("queue")} />
      </label>
      <label>
        Jobs it takes before it refuses producers (left empty, any number)
        <input inputMode="numeric" placeholder="100000" {...field("maxJobs")} />
      </label>
      <label>
        Bytes it takes before it refuses producers (left empty, any number)
        <input inputMode="numeric" placeholder="1000000000" {...field("maxBytes")} />
      </label>
    </Action>
  );
}
