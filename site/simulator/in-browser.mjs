// What the simulator's bundle has in place of every `node:…`: as much of Node as a simulated stream
// uses. What it doesn't use is undefined, and a stream that used it would fail.
import { sha256 } from "@noble/hashes/sha2.js";
import { Buffer } from "buffer/index.js";

// Node's own methods that its types leave out and this package has not.
Buffer.prototype.utf8Slice = function utf8Slice(start, end) {
  return Buffer.from(this.buffer, this.byteOffset + start, end - start).toString("utf8");
};
Buffer.prototype.utf8Write = function utf8Write(text, offset) {
  return this.write(text, offset, "utf8");
};

/** Turns of the event loop, without the 4 ms that a browser waits before a nested timer. */
const { port1, port2 } = new MessageChannel();
const turns = [];
port1.addEventListener("message", () => turns.shift()?.());
port1.start();
export const setImmediate = (callback) => {
  turns.push(callback);
  port2.postMessage(0);
};
export const process = { pid: 1, cwd: () => "/", nextTick: queueMicrotask };
Object.assign(globalThis, { Buffer, process, setImmediate });

export { Buffer };
export const hash = (_name, data, encoding) => digest(data, encoding);
export const createHash = () => {
  const own = sha256.create();
  const hashing = {
    update: (data) => {
      own.update(Buffer.from(data));
      return hashing;
    },
    digest: (encoding) => encoded(own.digest(), encoding),
  };
  return hashing;
};
export const randomFillSync = (bytes) => crypto.getRandomValues(bytes);
export const randomBytes = (length) => Buffer.from(crypto.getRandomValues(new Uint8Array(length)));

export const inspect = (value) => JSON.stringify(value) ?? String(value);
export const format = (...words) => words.join(" ");
export const types = {
  isAnyArrayBuffer: (value) => value instanceof ArrayBuffer,
  isBoxedPrimitive: () => false,
  isDate: (value) => value instanceof Date,
  isMap: (value) => value instanceof Map,
  isNativeError: (value) => value instanceof Error,
  isPromise: (value) => value instanceof Promise,
  isSet: (value) => value instanceof Set,
  isUint8Array: (value) => value instanceof Uint8Array,
};
export class AsyncLocalStorage {
  getStore() {}
  run(_store, callback) {
    return callback();
  }
}
export const hostname = () => "browser";
export const getHeapStatistics = () => ({ heap_size_limit: 2 ** 30 });
export const existsSync = () => false;
/** Of `cron-parser`, which no stream asks for. */
export const createRequire = () => () => {};
/** The plugin takes every other name out of this one. */
export default {};

function digest(data, encoding) {
  return encoded(sha256(Buffer.from(data)), encoding);
}

/** This package knows no `base64url`. */
function encoded(bytes, encoding) {
  const buffer = Buffer.from(bytes);
  if (encoding !== "base64url") return encoding === undefined ? buffer : buffer.toString(encoding);
  return buffer.toString("base64").replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
