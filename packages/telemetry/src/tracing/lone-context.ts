import { type Context, ROOT_CONTEXT } from "@opentelemetry/api";

/**
 * A context with one value: what nearly every job has, its span. OpenTelemetry's own copies a map
 * and makes three closures for each value that is set, twice for each attempt. With a second value
 * this becomes one of those, so nothing is ever looked up along a chain.
 */
class LoneContext implements Context {
  readonly #key: symbol;
  readonly #value: unknown;

  constructor(key: symbol, value: unknown) {
    this.#key = key;
    this.#value = value;
  }

  getValue(key: symbol): unknown {
    return key === this.#key ? this.#value : undefined;
  }

  setValue(key: symbol, value: unknown): Context {
    return key === this.#key
      ? new LoneContext(key, value)
      : ROOT_CONTEXT.setValue(this.#key, this.#value).setValue(key, value);
  }

  deleteValue(key: symbol): Context {
    return key === this.#key ? EMPTY_CONTEXT : this;
  }
}

/** As OpenTelemetry's root context. */
export const EMPTY_CONTEXT: Context = {
  getValue: () => undefined,
  setValue: (key, value) => new LoneContext(key, value),
  deleteValue: () => EMPTY_CONTEXT,
};
