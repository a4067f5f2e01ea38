import { createHash } from "node:crypto";
import type { RecordedError } from "./recorded-error.ts";
import { ownFrame } from "./own-frame.ts";
import { withoutVarying } from "./without-varying.ts";

/** What errors of one cause have in common, as far as can be told. */
export interface ErrorFingerprint {
  /** Names the other three: 12 hexadecimal digits, the same in every process. */
  readonly fingerprint: string;
  readonly type: string;
  /** The message with `*` for numbers, ids, times, addresses and quoted texts; 200 at most. */
  readonly pattern: string;
  /** Where the application's own code was: `charge (billing.js)`. Absent where no stack says it. */
  readonly frame?: string;
}

/**
 * @param masked hides secrets. A fingerprint of a message that is shown masked would let people try
 *   out what stands behind the mask, so it is made of the masked message.
 * @example
 * errorFingerprint(error, (text) => text); // { fingerprint: "4f0c1a9be213", … }
 */
export function errorFingerprint(
  { type, message, stack }: Pick<RecordedError, "type" | "message" | "stack">,
  masked: (text: string) => string,
): ErrorFingerprint {
  const pattern = withoutVarying(masked(message));
  const frame = stack === undefined ? undefined : ownFrame(stack, message);
  const whole = JSON.stringify([type, pattern, frame ?? null]);
  return {
    fingerprint: createHash("sha256").update(whole).digest("hex").slice(0, 12),
    ...{ type, pattern },
    ...(frame === undefined ? {} : { frame }),
  };
}
