/**
 * Words that make a key a secret's, wherever they stand in it: `dbPassword`, `X-API-Key`,
 * `refresh_token`.
 */
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
/** Words for secrets that are numbers. */
const NUMBERS = new Set(["pin", "cvv", "cvc", "ssn"]);
/** Words that hold one of the above and are none: `secretary`, `tokenizer`. */
const LOOK_ALIKES = /secretar(?:y|ies|iat)|tokeni[sz](?:e[drs]?|ers|ing|ation)/g;

/**
 * What a key says of its value. A `counter` may be a number that everyone may see: `maxTokens`, a
 * fencing `token`.
 */
export type KeyKind = "plain" | "counter" | "secret";

/** Judges a key, whatever its case and its way of joining words. */
export function kindOfKey(key: string): KeyKind {
  const words = wordsOf(key);
  const joined = words.join("").replace(LOOK_ALIKES, "");
  const found = SECRET_WORDS.filter((word) =>
    WHOLE_WORDS.has(word) ? words.includes(word) : joined.includes(word),
  );
  if (found.length === 0) return "plain";
  return found.every((word) => word === "token") ? "counter" : "secret";
}

/** Whether a key names a secret, whatever its case and its way of joining words. */
export function isSecretKey(key: string): boolean {
  return kindOfKey(key) !== "plain";
}

/** Whether a key names a secret that is a number. */
export function isNumbersKey(key: string): boolean {
  return wordsOf(key).some((word) => NUMBERS.has(word));
}

/** A key as it is compared: `X-Api-Key`, `xApiKey` and `x_api_key` are one. */
export function joinedKey(key: string): string {
  return wordsOf(key).join("");
}

function wordsOf(key: string): readonly string[] {
  return key
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/);
}
