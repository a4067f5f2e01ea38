/** How the numbers of each scheme begin, and how long they are. */
const SCHEMES: readonly (readonly [prefix: RegExp, lengths: readonly number[]])[] = [
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^3(?:0[0-59]|[689])/, [14, 16, 17, 18, 19]],
  [/^35(?:2[89]|[3-8])/, [16, 17, 18, 19]],
  [/^6(?:011|4[4-9]|5|2)/, [16, 17, 18, 19]],
  [/^(?:50|5[6-9]|63|67)/, [13, 14, 15, 16, 17, 18, 19]],
];

/**
 * Whether digits, with or without blanks or dashes, are a payment card's number: a known scheme's
 * beginning, its length, and a check digit that fits (Luhn). One of ten numbers that merely look so
 * passes the check; those are masked too.
 */
export function isCardNumber(text: string): boolean {
  const digits = text.replace(/[ -]/g, "");
  return (
    SCHEMES.some(([prefix, lengths]) => prefix.test(digits) && lengths.includes(digits.length)) &&
    luhn(digits) % 10 === 0
  );
}

/** The Luhn sum; a whole number's is a multiple of ten. */
export function luhn(digits: string): number {
  let sum = 0;
  for (let place = 0; place < digits.length; place += 1) {
    const digit = Number(digits[digits.length - 1 - place]);
    const doubled = digit * 2;
    sum += place % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum;
}
