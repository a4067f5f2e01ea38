import { toMs } from "@millrace/core";
import { type FieldKind, text } from "../config/field-kinds.ts";

export const time: FieldKind<number> = {
  placeholder: "<time>",
  parse(raw) {
    const value = typeof raw === "string" ? raw.trim() : "";
    const ms = /^\d+$/.test(value) ? Number(value) : Date.parse(value);
    if (Number.isNaN(ms))
      throw new Error("must be a time such as 2031-05-01T09:00:00Z, or epoch milliseconds");
    return ms;
  },
  show: String,
};

/** Checked by core, which knows the field's own rules. */
export const durationText: FieldKind<string> = { ...text, placeholder: "<30s>" };

/** A time, or how long ago it was. */
export const ago: FieldKind<number> = {
  placeholder: "<time|1h>",
  parse(raw) {
    const value = typeof raw === "string" ? raw.trim() : "";
    if (/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(value)) return Date.now() - toMs(value);
    return time.parse(raw);
  },
  show: String,
};
