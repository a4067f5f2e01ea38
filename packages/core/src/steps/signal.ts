import type { SignalBody } from "../broker/stores/signal-store.ts";
import { MAX_SIGNAL_BYTES } from "../broker/stores/signal-store.ts";
import { decodeBody, encodeMsgpack } from "../envelope/body.ts";
import { isId } from "../ids/names.ts";
import { MillraceError } from "../errors/millrace-error.ts";
import type { Schema } from "../job/schema.ts";
import { MAX_STEP_VALUES } from "./step-limits.ts";

/** A signal's name with the type of its values, for who sends it and who waits for it. */
export interface Signal<Input = unknown, Parsed = Input> {
  readonly name: string;
  readonly schema: Schema<Input, Parsed> | undefined;
}

const MSGPACK = "application/msgpack";
const JSON_TYPE = "application/json";
/** Of the record of a step that takes a signal: its name, the sender's id and some numbers. */
const ENTRY_ROOM = 2 * 1024;
const RULES = { maxValues: MAX_STEP_VALUES, exact: true, wellFormed: true };

/**
 * Names a signal and says what it carries, once for both sides.
 *
 * @throws MillraceError `invalid-name`
 * @example
 * export const approval = defineSignal("approval", z.object({ by: z.string(), ok: z.boolean() }));
 * const answer = await step.waitFor(approval, { timeout: "7d" });
 * await millrace.signal(order, "o-17", approval, { by: "ada", ok: true });
 */
export function defineSignal<Input = unknown, Parsed = Input>(
  name: string,
  schema?: Schema<Input, Parsed>,
): Signal<Input, Parsed> {
  return Object.freeze({ name: requireSignalName(name), schema });
}

/** @throws MillraceError `invalid-name` */
export function requireSignalName(name: unknown): string {
  if (isId(name)) return name;
  const shown = typeof name === "string" ? JSON.stringify(name.slice(0, 140)) : typeof name;
  throw new MillraceError(
    "invalid-name",
    `A signal's name is made of up to 128 of A-Z a-z 0-9 _ : -; got ${shown}.`,
  );
}

/**
 * A signal's value as it is sent. `undefined` is no value, which arrives as `null`.
 *
 * @param maxBytes what the server takes, where that is less than a step's record may have
 * @throws MillraceError `unserializable-payload`, `payload-too-large`
 */
export function writeSignal(
  value: unknown,
  signalId: string,
  maxBytes = MAX_SIGNAL_BYTES,
): SignalBody {
  if (value === undefined) return { data: new Uint8Array(), signalId };
  const data = encodeMsgpack(value, RULES);
  // It is recorded with what its step is called, and one level deeper.
  encodeMsgpack({ value }, RULES);
  const most = Math.min(MAX_SIGNAL_BYTES, maxBytes) - ENTRY_ROOM;
  if (data.length <= most) return { data, contentType: MSGPACK, signalId };
  throw new MillraceError(
    "payload-too-large",
    `The signal takes ${data.length} bytes, and ${most} is the most. Store the data elsewhere and send a reference to it.`,
  );
}

/**
 * A signal's value, from whoever sent it: JSON where nothing is said, so that any client can send
 * `true`.
 *
 * @throws Error whose message says what is wrong with the bytes
 */
export function readSignal({ data, contentType = JSON_TYPE }: SignalBody): unknown {
  return data.length === 0 ? null : decodeBody(data, contentType, MAX_STEP_VALUES);
}
