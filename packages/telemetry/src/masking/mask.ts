/** What stands where a masked value stood. */
export const MASKED = "***";

/** Words that make a key a secret's, wherever they stand in it: `dbPassword`, `X-API-Key`, `refresh_token`. */
const SECRET_WORDS = [
  "password",
  "passwd",
  "passphrase",
  "pwd",
  "secret",
  "token",
  "authorization",
  "apikey",
  "accesskey",
  "privatekey",
  "credential",
  "cookie",
  "sessionid",
  "cardnumber",
  "cvv",
  "cvc",
  "pin",
  "ssn",
];
/** Words too short to be looked for inside others: `spinning` is no PIN. */
const WHOLE_WORDS = new Set(["pwd", "pin", "cvv", "cvc", "ssn"]);
/** Deeper values are cut off rather than walked. */
const MAX_DEPTH = 64;

/**
 * A copy of a value in which everything under a secret's key is replaced. For what is logged, recorded or shown; the
 * value itself is never touched. Bytes are shown by their length.
 *
 * @example mask({ user: "ada", password: "x" }) // { user: "ada", password: "***" }
 */
export function mask(value: unknown): unknown {
  return maskAt(value, 0);
}

function maskAt(value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  if (value instanceof Date) return value;
  if (depth >= MAX_DEPTH) return "(too deep)";
  if (Array.isArray(value)) return value.map((item) => maskAt(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      isSecretKey(key) ? MASKED : maskAt(item, depth + 1),
    ]),
  );
}

/** Whether a key names a secret, whatever its case and its way of joining words. */
export function isSecretKey(key: string): boolean {
  const words = key
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  const joined = words.join("");
  return SECRET_WORDS.some((word) =>
    WHOLE_WORDS.has(word) ? words.includes(word) : joined.includes(word),
  );
}
