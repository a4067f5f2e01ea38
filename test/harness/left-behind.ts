import { afterAll, beforeAll, expect, vi } from "vitest";

/** Where the API of OpenTelemetry keeps what was registered, for every copy of it. */
const OPENTELEMETRY = Symbol.for("opentelemetry.js.api.1");

let before: ReadonlyMap<string, unknown>;

beforeAll(() => {
  // Node makes it when it is read for the first time, as it does itself to start a thread.
  expect(process.allowedNodeEnvironmentFlags.size).toBeGreaterThan(0);
  before = stateOfProcess();
});

// For files that share a process: none may find it other than the one before it did. Registered
// before the file's own hooks, and so run after them.
afterAll(() => {
  // As Vitest does itself between two files.
  vi.restoreAllMocks();
  const after = stateOfProcess();
  const names = [...new Set([...before.keys(), ...after.keys()])];
  const changed = names.filter((name) => !Object.is(before.get(name), after.get(name)));
  expect(changed, "what this file left changed for the next files of its process").toEqual([]);
});

/** Everything that a file can change for the next one of its process, by its name. */
function stateOfProcess(): Map<string, unknown> {
  return new Map([
    ["process.cwd()", process.cwd()],
    ["process.exitCode", process.exitCode],
    ...process
      .eventNames()
      .map((event): Entry => [`process.on(${String(event)})`, process.listenerCount(event)]),
    ...propertiesOf("process", process),
    ...propertiesOf("process.env", process.env),
    ...propertiesOf("process.stdout", process.stdout),
    ...propertiesOf("process.stderr", process.stderr),
    ...propertiesOf("globalThis", globalThis),
    ...propertiesOf("console", console),
    ...propertiesOf("Math", Math),
    ...propertiesOf("Date", Date),
    ...propertiesOf("performance", performance),
    ...propertiesOf("OpenTelemetry", Object(Reflect.get(globalThis, OPENTELEMETRY))).filter(
      ([name]) => name !== "OpenTelemetry.version",
    ),
  ]);
}

type Entry = readonly [name: string, value: unknown];

/** Each property that is no private one: its value, or what gets it. */
function propertiesOf(of: string, object: object): readonly Entry[] {
  return Object.entries(Object.getOwnPropertyDescriptors(object)).flatMap(
    ([key, { get, value }]): readonly Entry[] =>
      key.startsWith("_") ? [] : [[`${of}.${key}`, get ?? value]],
  );
}
