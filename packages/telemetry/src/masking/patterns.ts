import { isCardNumber } from "./card-number.ts";
import { looksRandom } from "./looks-random.ts";
import { isNumbersKey, kindOfKey } from "./secret-keys.ts";
import { MASKED, type SecretPattern } from "./secret-pattern.ts";

/** Keys that services give out, by the beginnings they chose so that such keys can be found. */
const API_KEYS: readonly string[] = [
  "(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?!\\w)",
  "gh[pousr]_[A-Za-z0-9]{36,255}",
  "github_pat_\\w{22,255}",
  "gl(?:pat|ptt|rt|dt|cbt)-[\\w-]{20,255}",
  "xox[abeoprs]-[A-Za-z0-9-]{10,255}",
  "xapp-[A-Za-z0-9-]{10,255}",
  "[sr]k_(?:live|test)_[A-Za-z0-9]{10,255}",
  "whsec_[A-Za-z0-9+/]{16,255}",
  "AIza[\\w-]{35}(?![\\w-])",
  "ya29\\.[\\w-]{20,2048}",
  "GOCSPX-[\\w-]{20,64}",
  "npm_[A-Za-z0-9]{36}(?!\\w)",
  "pypi-[\\w-]{50,512}",
  "SG\\.[\\w-]{16,64}\\.[\\w-]{16,128}",
  "do[por]_v1_[0-9a-f]{64}",
  "hf_[A-Za-z0-9]{30,64}",
  "shp(?:at|ss|ca|pa)_[0-9a-fA-F]{32}",
  "sq0(?:atp|csp)-[\\w-]{22,64}",
  "dckr_pat_[\\w-]{20,64}",
  "hv[sb]\\.[\\w-]{20,255}",
  // An nkey's seed: S, the kind of its owner, and 56 more of base32.
  "S[ACNOUX][A-Z2-7]{56}(?!\\w)",
];

/** What is looked for in every text, in this order. */
export const SECRET_PATTERNS: readonly SecretPattern[] = [
  {
    name: "private-key",
    // Without its end where the text was cut.
    find: /-----BEGIN [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----[^]*?(?:-----END [A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?-----|$)/,
  },
  {
    name: "jwt",
    find: /(?<![\w-])eyJ[\w-]+\.[\w-]+(?:\.[\w-]*){0,3}/,
    accept: (found) => isJoseHeader(found.slice(0, found.indexOf("."))),
  },
  { name: "api-key", find: new RegExp(`(?<![A-Za-z0-9])(?:${API_KEYS.join("|")})`) },
  {
    name: "sk-key",
    find: /(?<![\w-])sk-[\w-]{20,}/,
    accept: (found) => looksRandom(found.slice(3)),
  },
  {
    name: "webhook",
    find: /(?<keep>https:\/\/hooks\.slack\.com\/(?:services|workflows|triggers)\/)[\w/-]+/,
  },
  {
    name: "bearer",
    find: /(?<![\w-])(?<keep>bearer {1,4})(?<secret>[\w.~+/-]{6,}={0,2})/i,
    accept: (_found, { secret = "" }) => secret.length >= 8 && looksRandom(secret),
  },
  {
    name: "basic",
    find: /(?<![\w-])(?<keep>basic {1,4})(?<secret>[A-Za-z0-9+/]{4,}={0,2})(?![\w+/-])/i,
    accept: (_found, { secret = "" }) => isUserAndPassword(secret),
  },
  {
    name: "authorization",
    find: /(?<keep>\bauthorization["']{0,1} {0,4}[:=] {0,4}["']{0,1}(?:[A-Za-z][A-Za-z0-9-]{0,31} {1,4})?)(?<secret>[\w.~+/-]{4,}={0,2})/i,
    accept: (_found, { secret = "" }) => looksRandom(secret),
  },
  {
    name: "url-password",
    // Up to the last @ before the path. Behind an image's tag stands its digest.
    find: /(?<keep>\b[a-z][a-z0-9+.-]{1,31}:\/\/[^\s/?#:"'<>]{0,256}:)[^\s/?#"'<>]{1,1024}(?<end>@)(?!sha\d{3}:[0-9a-f]{32})/i,
  },
  {
    name: "url-password-not-encoded",
    // With a slash, ? or # in it. What could be a port, also one that is filled in later, or hosts
    // with ports, is taken for that. No host is a digest, or a version that is a number.
    find: /(?<keep>\b[a-z][a-z0-9+.-]{1,31}:\/\/[^\s/?#:@"'<>[\]]{0,256}:)(?!(?:\d{0,5}|\$?\{?port\}?)[/?#,])[^\s/?#"'<>@]{0,256}[/?#][^\s"'<>@]{0,1024}(?:@[^\s/?#"'<>@]{1,256}){0,4}(?<end>@)(?!sha\d{3}:[0-9a-f]{32}|[1-9]\d{0,8}(?![\w.:-]))/i,
  },
  // A NATS URL takes a token where others take a user.
  {
    name: "url-token",
    find: /(?<keep>\b(?:nats|tls|wss?):\/\/)[^\s/?#:@"'<>]{1,1024}(?<end>@)/i,
  },
  {
    name: "quoted-value",
    // `"password": "x"`, `password: 'x'`, `password="x"`, up to the quote that ends it.
    find: /(?<keep>(?<![\w.-])(?<key>[A-Za-z][\w.-]{0,63})["']? {0,2}[:=] {0,2}(?<quote>["']))(?:(?!\k<quote>)[^\\\n]|\\[^\n])+/,
    accept: (_found, { key = "" }) => kindOfKey(key) !== "plain",
  },
  {
    name: "quoted-value-in-json",
    // The same inside a JSON text, where each quote has a backslash and each backslash is two.
    find: /(?<keep>(?<![\w.-])(?<key>[A-Za-z][\w.-]{0,63})(?:\\["'])? {0,2}[:=] {0,2}\\(?<quote>["']))(?:[^\\"\n]|\\\\(?:\\\\|\\["']|[^\\"\n]))+/,
    accept: (_found, { key = "" }) => kindOfKey(key) !== "plain",
  },
  {
    name: "number-in-json",
    // `"pin":4711`, also in JSON in JSON. It stays JSON: the mask gets the quotes of the key.
    find: /(?<keep>(?<![\w.-])(?<key>[A-Za-z][\w.-]{0,63})(?<wrap>(?:\\|\\{3}|\\{7})?["']) {0,2}: {0,2})(?<secret>-?\d[\d.eE+-]*)(?![\w"'\\])/,
    accept: (_found, { key = "", secret = "" }) => isSecretNumber(key, secret),
  },
  {
    name: "assigned-value",
    // `?token=x`, `password=x;`. A comparison and an arrow assign nothing.
    find: /(?<keep>(?<![\w.-])(?<key>[A-Za-z][\w.-]{0,63})=)(?<secret>[^\s"'&;,=>()<{}[\]]+)/,
    accept: (_found, { key = "", secret = "" }) => isSecretValue(key, secret),
  },
  {
    name: "named-value",
    // `password: hunter2`; prose after a colon stays.
    find: /(?<keep>(?<![\w.-])(?<key>[A-Za-z][\w.-]{0,63}): {0,2})(?<secret>[^\s"'&;,()<>{}[\]]{6,})/,
    accept: (_found, { key = "", secret = "" }) =>
      isSecretValue(key, secret) && looksRandom(secret),
  },
  {
    name: "header-value",
    // `x-api-key: abcdefgh`; prose goes on behind its first word.
    find: /(?<keep>(?<![\w.-])(?<key>x-[\w-]{1,62}): {0,2})(?<secret>[^\s"'&;,()<>{}[\]]{6,})(?<end>(?: {1,4}[a-z])?)/i,
    accept: (_found, { key = "", secret = "", end }) => end === "" && isSecretValue(key, secret),
  },
  {
    name: "named-number",
    // `pin: 4711`. Behind other keys a number may be a status: `secret: 404 Not Found`.
    find: /(?<keep>(?<![\w.-])(?<key>[A-Za-z][\w.-]{0,63}): {0,2})\d{3,12}(?!\w|[-.:]\w)/,
    accept: (_found, { key = "" }) => isNumbersKey(key),
  },
  {
    name: "card-number",
    // In one piece or in the groups that cards show.
    find: /(?<![\w.]|[\w.][-+])(?:\d{13,19}|\d{4}(?<gap>[ -])\d{4}\k<gap>\d{4}\k<gap>\d{4}(?:\k<gap>\d{1,3})?|\d{4}(?<gap2>[ -])\d{6}\k<gap2>\d{4,5})(?![\w]|[-.]\w)/,
    accept: (found) => isCardNumber(found),
  },
];

/** Numbers of counters may be seen, in texts as in objects. */
function isSecretValue(key: string, value: string): boolean {
  const kind = kindOfKey(key);
  if (kind === "plain" || value === MASKED || /^(?:true|false|null|undefined)$/.test(value))
    return false;
  return kind === "secret" || !/^\d{1,12}$/.test(value);
}

/** As above. A time in milliseconds and a rate are no secrets either. */
function isSecretNumber(key: string, value: string): boolean {
  const kind = kindOfKey(key);
  if (kind !== "counter") return kind === "secret";
  return !/^-?(?:\d{1,12}|[12]\d{12})(?:\.\d{1,17})?(?:e[+-]?\d{1,3})?$/i.test(value);
}

/** A JWT begins with a JSON object that names its algorithm. */
function isJoseHeader(part: string): boolean {
  try {
    const header: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof header === "object" && header !== null && "alg" in header;
  } catch {
    // No JSON: so it is none.
    return false;
  }
}

/** What stands behind `Basic` is a user and a password with a colon between, in base64. */
function isUserAndPassword(base64: string): boolean {
  return /^[\x20-\x7e]*:[\x20-\x7e]*$/.test(Buffer.from(base64, "base64").toString("latin1"));
}
