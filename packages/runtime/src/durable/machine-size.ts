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

/**
 * A document as whoever reads what is stored of it has it: what JSON makes of a value (a hole in a
 * list is `null`, -0 is 0) is so for the host that wrote it, too, and no part of it is another's.
 *
 * @throws MillraceError `unserializable-payload` where it can't be written at all
 */
export function asStored(document: MachineDocument): MachineDocument {
  const text = written(document);
  const stored = JSON.parse(text) as MachineDocument;
  sizes.set(stored, sizes.get(document) ?? Buffer.byteLength(text));
  return stored;
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
