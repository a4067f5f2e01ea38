// Copies Node without what it never reads: names of its functions for debuggers, a seventh of it.
// As `strip` does, which the image that builds has not. Runs in the build stage:
// node deploy/image/strip-node.mjs FROM TO
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

/** Fields of an ELF file's header, 64 bits, little-endian: their offsets. */
const PROGRAM_HEADERS_AT = 32;
const SECTIONS_AT = 40;
const PROGRAM_HEADER_SIZE_AT = 54;
const PROGRAM_HEADER_COUNT_AT = 56;
const SECTION_COUNT_AT = 60;
const SECTION_NAMES_AT = 62;
/** Of one program header. */
const OFFSET_AT = 8;
const SIZE_AT = 32;

const [from, to] = process.argv.slice(2);
const stripped = withoutSections(readFileSync(from));
writeFileSync(to, stripped, { mode: 0o755 });
const version = execFileSync(to, ["--version"], { encoding: "utf8" }).trim();
if (version !== execFileSync(from, ["--version"], { encoding: "utf8" }).trim())
  throw new Error(`${to} says that it is ${version}`);
console.log(`${to}: ${stripped.length} bytes, ${version}`);

/** Whatever is loaded lies in a segment; sections, of which none is, are listed behind them. */
function withoutSections(elf) {
  if (elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1)
    throw new Error("not a 64-bit little-endian ELF file");
  const first = Number(elf.readBigUInt64LE(PROGRAM_HEADERS_AT));
  const size = elf.readUInt16LE(PROGRAM_HEADER_SIZE_AT);
  let end = 0;
  for (let nth = 0; nth < elf.readUInt16LE(PROGRAM_HEADER_COUNT_AT); nth += 1) {
    const header = first + nth * size;
    const [at, length] = [OFFSET_AT, SIZE_AT].map((field) =>
      Number(elf.readBigUInt64LE(header + field)),
    );
    end = Math.max(end, at + length);
  }
  const loaded = Buffer.from(elf.subarray(0, end));
  loaded.writeBigUInt64LE(0n, SECTIONS_AT);
  loaded.writeUInt16LE(0, SECTION_COUNT_AT);
  loaded.writeUInt16LE(0, SECTION_NAMES_AT);
  return loaded;
}
