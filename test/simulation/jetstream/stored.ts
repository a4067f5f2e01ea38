import { takes } from "./subject.ts";

export interface Stored {
  readonly seq: number;
  readonly subject: string;
  readonly headers: Uint8Array | undefined;
  readonly data: Uint8Array;
  /** The server's wall clock. */
  readonly atMs: number;
}

/** What a file keeps with each message, beside its subject, headers and body. */
export const OVERHEAD_BYTES = 22;

export function bytesOf({
  subject,
  headers,
  data,
}: Pick<Stored, "subject" | "headers" | "data">): number {
  return subject.length + (headers?.length ?? 0) + data.length + OVERHEAD_BYTES;
}

/** A stream's messages, by place and by subject. */
export class Messages {
  readonly #bySeq = new Map<number, Stored>();
  readonly #bySubject = new Map<string, Set<number>>();
  lastSeq: number;
  bytes = 0;

  /** @param first the number of the first message; servers begin at 1 by themselves */
  constructor(first = 1) {
    this.lastSeq = first - 1;
  }

  get size(): number {
    return this.#bySeq.size;
  }

  get firstSeq(): number {
    const [first] = this.#bySeq.keys();
    return first ?? (this.lastSeq === 0 ? 0 : this.lastSeq + 1);
  }

  add(message: Omit<Stored, "seq">): Stored {
    const stored = { ...message, seq: (this.lastSeq += 1) };
    this.put(stored);
    return stored;
  }

  /** At its own place, which must be above all others. */
  put(stored: Stored): void {
    this.#bySeq.set(stored.seq, stored);
    const places = this.#bySubject.get(stored.subject);
    if (places === undefined) this.#bySubject.set(stored.subject, new Set([stored.seq]));
    else places.add(stored.seq);
    this.bytes += bytesOf(stored);
  }

  get(seq: number): Stored | undefined {
    return this.#bySeq.get(seq);
  }

  remove(seq: number): Stored | undefined {
    const stored = this.#bySeq.get(seq);
    if (stored === undefined) return undefined;
    this.#bySeq.delete(seq);
    const places = this.#bySubject.get(stored.subject);
    places?.delete(seq);
    if (places?.size === 0) this.#bySubject.delete(stored.subject);
    this.bytes -= bytesOf(stored);
    return stored;
  }

  /** Puts back what was removed, as a crash does. */
  restore(all: readonly Stored[]): void {
    const inOrder = [...this.#bySeq.values(), ...all].toSorted((a, b) => a.seq - b.seq);
    this.#bySeq.clear();
    this.#bySubject.clear();
    this.bytes = 0;
    for (const stored of inOrder) this.put(stored);
  }

  /** Oldest first. */
  values(): IterableIterator<Stored> {
    return this.#bySeq.values();
  }

  subjects(filter: string): [string, Set<number>][] {
    const exact = this.#bySubject.get(filter);
    if (exact !== undefined) return [[filter, exact]];
    if (!/[*>]/.test(filter)) return [];
    return [...this.#bySubject].filter(([subject]) => takes(filter, subject));
  }

  /** Of one subject, oldest first. */
  placesOf(subject: string): readonly number[] {
    return [...(this.#bySubject.get(subject) ?? [])];
  }

  get subjectCount(): number {
    return this.#bySubject.size;
  }

  lastOf(filter: string): Stored | undefined {
    let last = 0;
    for (const [, places] of this.subjects(filter)) last = Math.max(last, newest(places));
    return this.get(last);
  }

  nextOf(from: number, filter: string): Stored | undefined {
    let next = Number.POSITIVE_INFINITY;
    for (const [, places] of this.subjects(filter)) {
      for (const place of places)
        if (place >= from) {
          next = Math.min(next, place);
          break;
        }
    }
    return this.get(next);
  }

  /** How many fit from a place on. */
  count(from: number, filter: string): number {
    let count = 0;
    for (const [, places] of this.subjects(filter))
      for (const place of places) if (place >= from) count += 1;
    return count;
  }
}

/** Sets keep the order in which they were filled. */
function newest(places: Set<number>): number {
  let last = 0;
  for (const place of places) last = place;
  return last;
}
