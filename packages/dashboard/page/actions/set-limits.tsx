import { type ReactElement, useState } from "react";
import type { QueueDetailView } from "../../src/api/views/views.ts";
import { Action } from "./action.tsx";
import { pathOf } from "../words/paths.ts";
import { count } from "../words/number.ts";
import { useQueue } from "../questions/questions.ts";
import { duration } from "../words/time.tsx";

/** A rate in words: `100 in 1s`. */
export function rateWords({ limit, perMs }: { readonly limit: number; readonly perMs: number }) {
  return `${count(limit)} in ${duration(perMs)}`;
}

const FIELDS: readonly {
  readonly name: string;
  readonly label: string;
  readonly example: string;
  readonly now: (of: QueueDetailView) => string | undefined;
}[] = [
  {
    name: "concurrency",
    label: "Jobs at once",
    example: "20",
    now: ({ limits }) => limits?.concurrency?.toString(),
  },
  {
    name: "rate",
    label: "Starts",
    example: "100/1s",
    now: ({ limits }) => limits?.rate && rateWords(limits.rate),
  },
  {
    name: "keyConcurrency",
    label: "Jobs of one key at once",
    example: "20",
    now: ({ limits }) => limits?.perKey?.concurrency?.toString(),
  },
  {
    name: "keyRate",
    label: "Starts of one key",
    example: "100/1s",
    now: ({ limits }) => limits?.perKey?.rate && rateWords(limits.perKey.rate),
  },
  {
    name: "maxJobs",
    label: "Jobs it takes",
    example: "100000",
    now: ({ queue }) => queue.maxJobs?.toString(),
  },
  {
    name: "maxBytes",
    label: "Bytes it takes",
    example: "1000000000",
    now: ({ queue }) => queue.maxBytes?.toString(),
  },
  {
    name: "maxParked",
    label: "Jobs of its producers that may wait for a later start",
    example: "1000",
    now: ({ queue }) => queue.maxParked?.toString(),
  },
  {
    name: "sendsTo",
    label: "Queues that its producers' jobs may be followed in",
    example: "print,archive",
    now: ({ queue }) => queue.sendsTo?.join(","),
  },
];

type Written = Readonly<Record<string, string>>;

/** Sets what a queue may do over all nodes. */
export function SetLimits({ queue }: { readonly queue: string }): ReactElement {
  const [written, setWritten] = useState<Written>({});
  return (
    <Action
      label="Set limits"
      question={`Set limits of ${queue}?`}
      path={pathOf("queues", queue, "set")}
      body={written}
      done={() => `The limits of ${queue} are set.`}
      onOpen={() => setWritten({})}
    >
      <p>
        They hold over all nodes and restarts, from now on. What is left empty stays;{" "}
        <code>none</code> takes a limit away, and what the code says counts again.
      </p>
      <Fields queue={queue} written={written} set={setWritten} />
    </Action>
  );
}

/** They say what is set now, which is asked for when somebody is about to change it. */
function Fields({
  queue,
  written,
  set,
}: {
  readonly queue: string;
  readonly written: Written;
  readonly set: (written: Written) => void;
}): ReactElement {
  const { data } = useQueue(queue);
  return (
    <>
      {FIELDS.map(({ name, label, example, now }) => (
        <label key={name}>
          {label} (now {data === undefined ? "…" : (now(data) ?? "none")})
          <input
            value={written[name] ?? ""}
            placeholder={example}
            onChange={({ target }) => set({ ...written, [name]: target.value })}
          />
        </label>
      ))}
    </>
  );
}
