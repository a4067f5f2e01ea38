import { types } from "node:util";
import { isPlain } from "./json-form.ts";
import { TooLarge, TooManyValues } from "./measure-body.ts";
import { fieldBesideEntries, hasMoreFields } from "./list-fields.ts";
import { isWideInteger, pathOf, wideInteger } from "./value-path.ts";

export interface EncodeRules {
  readonly maxValues: number;
  /** Whether a whole number beyond 2^53 is refused. What was read is written as it was read. */
  readonly exact: boolean;
  /**
   * Whether text with half a character is refused: UTF-8 has no bytes for a lone surrogate, and
   * another character would arrive.
   */
  readonly wellFormed: boolean;
}

/** Why a value can't be sent, with its place. Never quotes the value. */
export class Unsendable extends Error {}

type Place = string | number;

/**
 * A value as it is sent, where it is not plain data already: an object with a `toJSON` method is
 * what that gives, as with `JSON.stringify`, and a date or bytes stay as they are. What would be
 * altered or lost on its way is refused, and so are more values than may be.
 *
 * @param root where the value is to stand in a larger one
 * @returns the same value where nothing in it had to be replaced
 * @throws Unsendable, TooManyValues
 */
export function sendable(
  value: unknown,
  rules: EncodeRules,
  maxDepth: number,
  ...root: readonly string[]
): unknown {
  return new Walk(rules, maxDepth, root).look(value);
}

/** Stands in place of a value: whoever is to send it refuses it for the same reason. */
export class RefusedValue {
  readonly code: "unserializable-payload" | "payload-too-large";
  /** Its reason, with its place. */
  readonly why: string;
  /** What it stands for, to be shown in parts; undefined where that can't be had. */
  readonly given: unknown;
  readonly #error: Error;

  constructor(error: Unsendable | TooLarge, given: unknown) {
    this.code = error instanceof TooLarge ? "payload-too-large" : "unserializable-payload";
    this.why = error.message;
    this.given = given;
    this.#error = error;
  }

  toJSON(): never {
    throw this.#error;
  }
}

/** In place of a value that can't be sent. */
export function unsendableValue(why: string, given?: unknown): RefusedValue {
  return new RefusedValue(new Unsendable(why), given);
}

/** In place of one that is larger than any message, so that nobody else measures it. */
export function tooLargeValue(given: unknown): RefusedValue {
  return new RefusedValue(new TooLarge("it is larger than any message may be"), given);
}

class Walk {
  readonly #rules: EncodeRules;
  readonly #maxDepth: number;
  readonly #places: Place[];
  /** The maps and lists around the value that is looked at: one that holds itself is found. */
  readonly #around: object[] = [];
  #room: number;

  constructor(rules: EncodeRules, maxDepth: number, root: readonly string[]) {
    this.#places = [...root];
    this.#rules = rules;
    this.#maxDepth = maxDepth;
    this.#room = rules.maxValues;
  }

  look(here: unknown): unknown {
    if (--this.#room < 0) throw this.#tooMany();
    if (this.#places.length >= this.#maxDepth)
      throw this.#refusal(`nests deeper than ${this.#maxDepth} levels`);
    return this.#take(here, true);
  }

  /** @param mayConvert false for what a `toJSON` has given, which is not asked again */
  #take(here: unknown, mayConvert: boolean): unknown {
    switch (typeof here) {
      case "string":
        return this.#text(here);
      case "number":
        if (this.#rules.exact && isWideInteger(here))
          throw new Unsendable(wideInteger(pathOf(this.#places)));
        return here;
      case "bigint":
        if (mayConvert && hasToJson(here)) return this.#converted(here);
        throw this.#refusal("is a bigint; send it as a string");
      case "function":
      case "symbol":
        throw this.#refusal(`is a ${typeof here}`);
      case "object":
        return here === null ? null : this.#object(here, mayConvert);
      default:
        return here;
    }
  }

  #object(here: object, mayConvert: boolean): unknown {
    if (types.isDate(here)) return this.#date(here);
    if (types.isUint8Array(here)) return here;
    if (mayConvert && hasToJson(here)) return this.#converted(here);
    if (types.isBoxedPrimitive(here)) return this.#take(here.valueOf(), true);
    // Before its keys are asked for: that makes a text of each place.
    if (Array.isArray(here) && here.length > this.#room) throw this.#tooMany();
    const lost = whatIsLost(here);
    if (lost !== undefined) throw this.#refusal(lost);
    if (this.#around.includes(here)) throw this.#refusal("holds itself: it is in a cycle");
    this.#around.push(here);
    const taken = Array.isArray(here) ? this.#list(here) : this.#map(here);
    this.#around.pop();
    return taken;
  }

  #converted(here: object | bigint): unknown {
    const { toJSON } = here as { toJSON: (key: string) => unknown };
    let given: unknown;
    try {
      given = toJSON.call(here, String(this.#places.at(-1) ?? ""));
    } catch (cause) {
      if (cause instanceof Unsendable || cause instanceof TooLarge) throw cause;
      // Its message may quote the value.
      throw new Unsendable(`the toJSON of ${pathOf(this.#places)} threw`, { cause });
    }
    return this.#take(given, false);
  }

  /** The library takes the dates of this realm alone for dates. */
  #date(here: Date): Date {
    const ms = types.isDate(here) ? Date.prototype.getTime.call(here) : Number.NaN;
    if (Number.isNaN(ms)) throw this.#refusal("is an invalid Date");
    return here instanceof Date ? here : new Date(ms);
  }

  #text(here: string): string {
    if (this.#rules.wellFormed && !here.isWellFormed())
      throw this.#refusal("has half a character (a lone surrogate)");
    return here;
  }

  #list(here: readonly unknown[]): readonly unknown[] {
    let copy: unknown[] | undefined;
    // Not forEach, which passes holes over.
    for (let at = 0; at < here.length; at += 1) {
      const taken = this.#within(at, here[at]);
      if (taken === here[at]) continue;
      copy ??= [...here];
      copy[at] = taken;
    }
    return copy ?? here;
  }

  #map(here: object): object {
    const replaced: [string, unknown][] = [];
    // Not Object.entries, which reads all of them before one is counted.
    for (const key in here) {
      if (!Object.hasOwn(here, key)) continue;
      const field: unknown = (here as Readonly<Record<string, unknown>>)[key];
      if (field === undefined) continue;
      if (key === "__proto__") throw this.#refusal('has a key "__proto__"');
      if (this.#rules.wellFormed && !key.isWellFormed())
        throw this.#refusal("has a key with half a character (a lone surrogate)");
      this.#room -= 1;
      const taken = this.#within(key, field);
      if (taken !== field) replaced.push([key, taken]);
    }
    return replaced.length === 0 ? here : { ...here, ...Object.fromEntries(replaced) };
  }

  #within(place: Place, entry: unknown): unknown {
    this.#places.push(place);
    const taken = this.look(entry);
    this.#places.pop();
    return taken;
  }

  #tooMany(): TooManyValues {
    return new TooManyValues(this.#rules.maxValues);
  }

  #refusal(why: string): Unsendable {
    return new Unsendable(`${pathOf(this.#places)} ${why}`);
  }
}

function hasToJson(value: object | bigint): boolean {
  return typeof (value as { readonly toJSON?: unknown }).toJSON === "function";
}

/** @returns why nothing, or not all, of an object would arrive; undefined for what is data */
function whatIsLost(here: object): string | undefined {
  if (types.isMap(here) || types.isSet(here))
    return `is a ${types.isMap(here) ? "Map" : "Set"}, of which nothing would arrive; send a plain object or an array`;
  if (types.isNativeError(here) || here instanceof Error)
    return "is an Error, whose message would not arrive; send its message as text";
  if (types.isAnyArrayBuffer(here) || ArrayBuffer.isView(here))
    return `is ${aNamed(here)}; send its bytes as a Uint8Array, or its numbers as an array`;
  if (types.isPromise(here)) return "is a Promise; await it first";
  if (Array.isArray(here)) return besideEntries(here);
  if (isPlain(here) || hasMoreFields(here, 0)) return undefined;
  return `is ${aNamed(here)}, of which nothing would arrive; give it a toJSON method, or send plain data`;
}

function besideEntries(list: readonly unknown[]): string | undefined {
  const field = fieldBesideEntries(list);
  return field === undefined
    ? undefined
    : `is a list with a field "${field.slice(0, 40)}" beside its entries, which would not arrive; send a plain object, or a copy of the list: [...list]`;
}

function aNamed(here: object): string {
  const { constructor } = here;
  const name =
    typeof constructor === "function" && constructor.name !== ""
      ? constructor.name.slice(0, 40)
      : "object";
  return `${/^[AEIOaeio]/.test(name) ? "an" : "a"} ${name}`;
}
