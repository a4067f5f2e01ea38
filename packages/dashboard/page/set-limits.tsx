import { type ReactElement, useState } from "react";
import type { QueueLimitsView } from "../src/api/limits-views.ts";
import { Action } from "./action.tsx";
import { pathOf } from "./api.ts";
import { count } from "./number.ts";
import { duration } from "./time.tsx";

/** A rate in words: `100 in 1s`. */
export function rateWords({ limit, perMs }: { readonly limit: number; readonly perMs: number }) {
  return `${count(limit)} in ${duration(perMs)}`;
}

type Limits = Omit<QueueLimitsView, "queue" | "keys" | "holders">;

const FIELDS: readonly {
  readonly name: string;
  readonly label: string;
  readonly now: (limits: Limits) => string | undefined;
}[] = [
  {
    name: "concurrency",
    label: "Jobs at once",
    now: ({ concurrency }) => concurrency?.toString(),
  },
  { name: "rate", label: "Starts", now: ({ rate }) => rate && rateWords(rate) },
  {
    name: "keyConcurrency",
    label: "Jobs of one key at once",
    now: ({ perKey }) => perKey?.concurrency?.toString(),
  },
  {
    name: "keyRate",
    label: "Starts of one key",
    now: ({ perKey }) => perKey?.rate && rateWords(perKey.rate),
  },
  { name: "maxJobs", label: "Jobs it takes", now: ({ size }) => size?.maxJobs?.toString() },
];

/** Sets what a queue may do over all nodes. */
export function SetLimits({
  queue,
  limits,
}: {
  readonly queue: string;
  readonly limits: Limits;
}): ReactElement {
  const [written, setWritten] = useState<Readonly<Record<string, string>>>({});
  return (
    <Action
      label="Set limits"
      question={`Set limits of ${queue}?`}
      path={pathOf("queues", queue, "set")}
      body={written}
      done={() => `The limits of ${queue} are set.`}
      afterwards={() => setWritten({})}
    >
      <p>
        They hold over all nodes and restarts, from now on. What is left empty stays;{" "}
        <code>none</code> takes a limit away, and what the code says counts again.
      </p>
      {FIELDS.map(({ name, label, now }) => (
        <label key={name}>
          {label} (now {now(limits) ?? "none"})
          <input
            value={written[name] ?? ""}
            placeholder={name.toLowerCase().includes("rate") ? "100/1s" : "20"}
            onChange={({ target }) => setWritten({ ...written, [name]: target.value })}
          />
        </label>
      ))}
    </Action>
  );
}
