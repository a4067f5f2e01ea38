const CUT = "the body ends in the middle of a value";

/**
 * Walks msgpack bytes without decoding them, and refuses what would cost far more than its size: a decoder
 * makes room for as many elements as an array's header claims, so fifty bytes can ask for gigabytes, and a
 * nesting of such headers for as much again on each level.
 *
 * Every value takes at least a byte; so no more values may be owed than bytes are left.
 *
 * @throws Error whose message says what is wrong with the bytes
 */
export function requireSoundMsgpack(bytes: Uint8Array, maxDepth: number): void {
  const { length } = bytes;
  /** Values still to come in each open container, the innermost last. */
  const open: number[] = [];
  let owed = 1;
  let pos = 0;
  while (owed > 0) {
    if (owed > length - pos) throw new Error(CUT);
    const head = bytes[pos] as number;
    const sizeAt = pos + 1;
    pos = sizeAt;
    owed -= 1;
    if (open.length > 0) open[open.length - 1] = (open.at(-1) as number) - 1;

    const children = childrenOf(bytes, head, sizeAt);
    if (children > 0) {
      if (open.length >= maxDepth) {
        throw new Error(`the body nests deeper than ${maxDepth - 1} levels`);
      }
      open.push(children);
      owed += children;
    }
    pos += skipOf(bytes, head, sizeAt);
    while (open.at(-1) === 0) open.pop();
  }
  if (pos > length) throw new Error(CUT);
}

/** How many values a container's header claims; a map's entry is two. */
function childrenOf(bytes: Uint8Array, head: number, at: number): number {
  if (head >= 0x80 && head <= 0x8f) return (head & 0x0f) * 2;
  if (head >= 0x90 && head <= 0x9f) return head & 0x0f;
  switch (head) {
    case 0xdc:
      return unsigned(bytes, at, 2);
    case 0xdd:
      return unsigned(bytes, at, 4);
    case 0xde:
      return unsigned(bytes, at, 2) * 2;
    case 0xdf:
      return unsigned(bytes, at, 4) * 2;
    default:
      return 0;
  }
}

/** Bytes between a header and the next value: its length field, and the value itself where it is no container. */
function skipOf(bytes: Uint8Array, head: number, at: number): number {
  if (head >= 0xa0 && head <= 0xbf) return head & 0x1f;
  switch (head) {
    case 0xc4: // bin 8, 16, 32
    case 0xd9: // str 8
      return 1 + unsigned(bytes, at, 1);
    case 0xc5:
    case 0xda:
      return 2 + unsigned(bytes, at, 2);
    case 0xc6:
    case 0xdb:
      return 4 + unsigned(bytes, at, 4);
    case 0xc7: // ext 8, 16, 32: a length, a type, the data
      return 2 + unsigned(bytes, at, 1);
    case 0xc8:
      return 3 + unsigned(bytes, at, 2);
    case 0xc9:
      return 5 + unsigned(bytes, at, 4);
    case 0xcc: // uint 8, int 8
    case 0xd0:
      return 1;
    case 0xcd: // uint 16, int 16
    case 0xd1:
      return 2;
    case 0xca: // float 32, uint 32, int 32
    case 0xce:
    case 0xd2:
      return 4;
    case 0xcb: // float 64, uint 64, int 64
    case 0xcf:
    case 0xd3:
      return 8;
    case 0xd4: // fixext 1 to 16: a type, the data
      return 2;
    case 0xd5:
      return 3;
    case 0xd6:
      return 5;
    case 0xd7:
      return 9;
    case 0xd8:
      return 17;
    case 0xdc: // array and map 16, 32: only the length field
    case 0xde:
      return 2;
    case 0xdd:
    case 0xdf:
      return 4;
    default:
      return 0;
  }
}

/** Big-endian. Reads zeros past the end; the walk then finds that the bytes ran out. */
function unsigned(bytes: Uint8Array, at: number, size: 1 | 2 | 4): number {
  let value = 0;
  for (let i = 0; i < size; i += 1) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}
