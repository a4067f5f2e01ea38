import { CLAIM_HEADER } from "@millrace/core";

const LINE = Buffer.from(`\r\n${CLAIM_HEADER}: `);
const END = Buffer.from("\r\n");

/**
 * The headers of a message that is sent once more: without what only its first copy may say.
 *
 * @param headers as `encodeHeaders` made them
 */
export function headersOfCopy(headers: Uint8Array): Uint8Array {
  const bytes = Buffer.from(headers.buffer, headers.byteOffset, headers.byteLength);
  const from = bytes.indexOf(LINE);
  if (from === -1) return headers;
  const until = bytes.indexOf(END, from + LINE.length);
  return Buffer.concat([bytes.subarray(0, from), bytes.subarray(until)]);
}
