import type { Logger } from "@millrace/core";

/** One line a message on standard output, where a failing test shows the last of them. */
export function printLogger(name: string, bound: object = {}): Logger {
  const print =
    (level: string) =>
    (fields: object, message: string): void =>
      console.log(`${level} ${name} ${message} ${JSON.stringify({ ...bound, ...fields }, plain)}`);
  return {
    debug: () => {},
    info: print("info"),
    warn: print("warn"),
    error: print("error"),
    child: (fields) => printLogger(name, { ...bound, ...fields }),
  };
}

function plain(_key: string, value: unknown): unknown {
  return value instanceof Error ? `${value.name}: ${value.message}` : value;
}
