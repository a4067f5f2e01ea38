/**
 * One message on the wire, in either direction. `MSG` and `HMSG` come from the server, `PUB` and
 * `HPUB` go to it.
 */
export interface NatsFrame {
  readonly verb: "MSG" | "HMSG" | "PUB" | "HPUB";
  readonly subject: string;
  readonly reply: string | undefined;
  /** The header block as it is on the wire, or an empty string. */
  readonly headers: string;
  readonly payload: Buffer;
}

/**
 * A piece of the stream: a message, or a protocol line that carries none (`PING`, `INFO`, `SUB`,
 * …).
 */
export interface WirePiece {
  readonly bytes: Buffer;
  readonly frame: NatsFrame | undefined;
}

const CRLF = Buffer.from("\r\n");

/**
 * Cuts a stream of the NATS client protocol into whole pieces; what is incomplete waits for the
 * next bytes.
 */
export class FrameCutter {
  #rest: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): readonly WirePiece[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const pieces: WirePiece[] = [];
    for (let piece = this.#next(); piece !== undefined; piece = this.#next()) {
      pieces.push(piece);
      this.#rest = this.#rest.subarray(piece.bytes.length);
    }
    return pieces;
  }

  #next(): WirePiece | undefined {
    const lineEnd = this.#rest.indexOf(CRLF);
    if (lineEnd < 0) return undefined;
    const bodyStart = lineEnd + CRLF.length;
    const head = parseHead(this.#rest.toString("latin1", 0, lineEnd));
    if (head === undefined) return { bytes: this.#rest.subarray(0, bodyStart), frame: undefined };
    const end = bodyStart + head.totalBytes + CRLF.length;
    if (this.#rest.length < end) return undefined;
    const body = this.#rest.subarray(bodyStart, bodyStart + head.totalBytes);
    return {
      bytes: this.#rest.subarray(0, end),
      frame: {
        verb: head.verb,
        subject: head.subject,
        reply: head.reply,
        headers: body.toString("utf8", 0, head.headerBytes),
        payload: body.subarray(head.headerBytes),
      },
    };
  }
}

interface Head {
  readonly verb: NatsFrame["verb"];
  readonly subject: string;
  readonly reply: string | undefined;
  readonly headerBytes: number;
  readonly totalBytes: number;
}

/**
 * `MSG <subject> <sid> [reply] <size>`, `PUB <subject> [reply] <size>`, and with `H` a header size
 * before the size.
 */
function parseHead(line: string): Head | undefined {
  const [verb, ...words] = line.split(/[ \t]+/);
  if (verb !== "MSG" && verb !== "HMSG" && verb !== "PUB" && verb !== "HPUB") return undefined;
  const totalBytes = Number(words.pop());
  const headerBytes = verb.startsWith("H") ? Number(words.pop()) : 0;
  const subject = words[0] ?? "";
  const reply = verb.endsWith("MSG") ? words[2] : words[1];
  return { verb, subject, reply, headerBytes, totalBytes };
}

/** Whether this is JetStream's confirmation of a publish. */
export function isPubAck(frame: NatsFrame): boolean {
  if (frame.verb !== "MSG" && frame.verb !== "HMSG") return false;
  const text = frame.payload.toString("utf8");
  return (
    text.startsWith("{") &&
    /"stream":\s*"/.test(text) &&
    /"seq":\s*\d/.test(text) &&
    !text.includes('"type"')
  );
}
