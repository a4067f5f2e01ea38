import type { EventName, Events } from "./catalogue.ts";

type Listener<Name extends EventName> = (event: Events[Name]) => void;

/**
 * Typed events to any number of listeners. A listener that throws is reported and disturbs nobody
 * else.
 */
export class EventBus {
  readonly #listeners = new Map<EventName, Set<Listener<never>>>();
  readonly #onListenerError: (error: unknown) => void;

  constructor(onListenerError: (error: unknown) => void) {
    this.#onListenerError = onListenerError;
  }

  /** @returns a function that removes the listener */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): () => void {
    const set = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, set);
    set.add(listener);
    return () => void set.delete(listener);
  }

  /** Whether building an event is worth it. */
  has(name: EventName): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0;
  }

  emit<Name extends EventName>(name: Name, event: Events[Name]): void {
    const set = this.#listeners.get(name) as Set<Listener<Name>> | undefined;
    if (set === undefined) return;
    for (const listener of set) {
      try {
        listener(event);
      } catch (error) {
        this.#onListenerError(error);
      }
    }
  }
}
