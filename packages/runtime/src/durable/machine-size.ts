import type { MachineDocument } from "@millrace/core";

const sizes = new WeakMap<MachineDocument, number>();

/** What a document takes as it is stored, bytes. Reckoned once for each: it does not change. */
export function sizeOf(document: MachineDocument | undefined): number {
  if (document === undefined) return 0;
  const known = sizes.get(document);
  if (known !== undefined) return known;
  const size = Buffer.byteLength(JSON.stringify(document));
  sizes.set(document, size);
  return size;
}
