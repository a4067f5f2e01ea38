import { type MachineDocument, MillraceError } from "@millrace/core";

const sizes = new WeakMap<MachineDocument, number>();

/**
 * What a document takes as it is stored, bytes. Reckoned once for each: it does not change.
 *
 * @throws MillraceError `unserializable-payload` where it can't be written at all
 */
export function sizeOf(document: MachineDocument | undefined): number {
  if (document === undefined) return 0;
  const known = sizes.get(document);
  if (known !== undefined) return known;
  const size = Buffer.byteLength(written(document));
  sizes.set(document, size);
  return size;
}

function written(document: MachineDocument): string {
  try {
    return JSON.stringify(document);
  } catch (cause) {
    throw new MillraceError(
      "unserializable-payload",
      "What is to be stored of the machine can't be written as JSON. Keep plain data in its context.",
      { cause },
    );
  }
}
