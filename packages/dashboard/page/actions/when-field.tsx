import { type ReactElement, useState } from "react";

/** Another time: so long from now, or a time of the reader's zone. */
export interface When {
  readonly by: "delay" | "at";
  readonly delay: string;
  readonly at: string;
}

const AT_FIRST: When = { by: "delay", delay: "1h", at: "" };

/** @returns what is written, what is sent of it, and how to write */
export function useWhen(): {
  readonly when: When;
  readonly body: { readonly delay: string } | { readonly at: string };
  readonly set: (when: When) => void;
  readonly reset: () => void;
} {
  const [when, set] = useState(AT_FIRST);
  return {
    ...{ when, set },
    body: when.by === "delay" ? { delay: when.delay } : { at: withZone(when.at) },
    reset: () => set(AT_FIRST),
  };
}

export function WhenField({
  when,
  set,
}: {
  readonly when: When;
  readonly set: (when: When) => void;
}): ReactElement {
  return (
    <>
      <label>
        When
        <select
          value={when.by}
          onChange={({ target }) => set({ ...when, by: target.value === "at" ? "at" : "delay" })}
        >
          <option value="delay">so long from now</option>
          <option value="at">at a time</option>
        </select>
      </label>
      {when.by === "delay" ? (
        <label>
          Not before this long from now
          <input
            value={when.delay}
            required
            maxLength={30}
            placeholder="1h, 2d, 0s for now"
            onChange={({ target }) => set({ ...when, delay: target.value })}
          />
        </label>
      ) : (
        <label>
          Not before this time, in your zone
          <input
            type="datetime-local"
            value={when.at}
            required
            onChange={({ target }) => set({ ...when, at: target.value })}
          />
        </label>
      )}
    </>
  );
}

/** What stands in the field is a time of the reader's zone. */
function withZone(local: string): string {
  const time = new Date(local);
  return Number.isNaN(time.getTime()) ? local : time.toISOString();
}
