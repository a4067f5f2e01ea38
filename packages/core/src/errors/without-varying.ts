/** One for all: a number of a random id's shape and a random id that is a number are alike then. */
const PLACEHOLDER = "*";
const LONGEST = 200;

/** A closing quote may be missing where the message was cut. */
const QUOTED =
  /(?<![\w"'`])(?:"(?:[^"\\]|\\.)*(?:"|…$)|'(?:[^'\\]|\\.)*?(?:'(?!\w)|…$)|`[^`]*(?:`|…$)|“[^”]*(?:”|…$)|‘[^’]*(?:’(?!\w)|…$)|«[^»]*(?:»|…$))/gs;
const URL = /\b[a-z][\w+.-]*:\/\/[^\s"'`<>()]+/gi;
const MAIL = /(?<![^\s"'`<>()@:,;])[^\s"'`<>()@:,;]+@[\w-]+(?:\.[\w-]+)+/g;
/** As `Date` prints it. */
const DATE_IN_WORDS =
  /\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? (?:\d{1,2} )?[A-Z][a-z]{2} (?:\d{1,2} )?\d{4} \d{2}:\d{2}:\d{2}(?: GMT(?:[+-]\d{4})?)?(?: \([^)]*\))?/g;
const TIME =
  /(?<![\w-])\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?(?![\w-])/g;
/** IPv4 with its port, and what has colons as IPv6 and the time of day have. */
const IPV4 = /(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\w.]*\w)/g;
const COLONS =
  /(?<![\w:])\[?(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?:%\w+)?(?:\]:\d+|\])?(?![\w:])/gi;
/** In base64 or the like, or a path with a number in it. */
const LONG = /[\w+/=-]{24,}/g;
const HEX = /(?<![\w-])[0-9a-f]{8,}(?![\w-])/gi;
const NUMBER =
  /(?<![\w-])[-+]?\d+(?:[.,_]\d+)*(?:e[-+]?\d+)?(?: ?(?:ns|[uµ]s|ms|s|m|min|h|d|[kKMGT]?i?B|%))?(?![\w-])/g;
const WORD = /[\w-]+/g;
const LIST = /\*(?:(?:,| |, )\*)+/g;

/**
 * A message with `*` in place of what differs from one time to the next: numbers, ids, hexadecimal,
 * UUIDs, times, addresses and quoted texts. A list of such is one `*`, however long.
 */
export function withoutVarying(message: string): string {
  return [QUOTED, URL, MAIL, DATE_IN_WORDS, TIME, IPV4, COLONS, NUMBER]
    .reduce((text, pattern) => text.replaceAll(pattern, PLACEHOLDER), message)
    .replaceAll(LONG, (word) => (/\d/.test(word) ? PLACEHOLDER : word))
    .replaceAll(HEX, PLACEHOLDER)
    .replaceAll(WORD, (word) => (/\d/.test(word) ? withoutId(word) : word))
    .replaceAll(/\s+/g, " ")
    .replaceAll(LIST, PLACEHOLDER)
    .trim()
    .slice(0, LONGEST)
    .toWellFormed();
}

/** `order-17` is `order-*`, and `cus_N2Hib-myT` is `cus_*`. */
function withoutId(word: string): string {
  const parts = word.split(/([-_])/);
  if (parts.every((part) => /^\d*$|^\D*$/.test(part)))
    return parts.map((part) => (/^\d+$/.test(part) ? PLACEHOLDER : part)).join("");
  // What comes behind the first part that isn't a plain word belongs to the id.
  const begins = parts.findIndex((part) => !/^(?:[A-Z]?[a-z]*|[A-Z]*|[-_])$/.test(part));
  return [...parts.slice(0, begins), PLACEHOLDER].join("");
}
