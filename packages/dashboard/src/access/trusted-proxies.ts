import { BlockList, isIP } from "node:net";
import { MillraceError } from "@millrace/core";

/** What is looked at of a request: who is connected, and what was sent as it was sent. */
export interface Sent {
  readonly rawHeaders: readonly string[];
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** The proxies in front of a dashboard. What nobody else may say of a request, they may. */
export class TrustedProxies {
  readonly #known = new BlockList();

  /**
   * @param networks addresses (`127.0.0.1`) and networks (`10.0.0.0/8`, `fd00::/8`)
   * @throws MillraceError `invalid-option`
   */
  constructor(networks: readonly string[]) {
    for (const network of networks) this.#trust(network);
  }

  /** Whether it is a proxy that is connected. */
  sent({ socket }: Sent): boolean {
    return this.#isKnown(socket.remoteAddress ?? "");
  }

  /**
   * The address of who asks. Each proxy adds the one that it was connected to on the right of
   * `x-forwarded-for`; what is left of the first stranger there, that stranger may have made up.
   */
  addressOf(sent: Sent): string {
    let address = sent.socket.remoteAddress ?? "";
    const hops = valuesOf(sent, "x-forwarded-for").flatMap((value) => value.split(","));
    for (const hop of hops.toReversed()) {
      if (!this.#isKnown(address)) break;
      const before = withoutPort(hop.trim());
      if (isIP(before) === 0) break;
      address = before;
    }
    return address;
  }

  #isKnown(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#known.check(address, family === 4 ? "ipv4" : "ipv6");
  }

  #trust(network: string): void {
    const [address = "", bits, ...rest] = network.split("/");
    const family = isIP(address);
    const type = family === 4 ? "ipv4" : "ipv6";
    const most = family === 4 ? 32 : 128;
    const length = bits === undefined ? most : /^\d+$/.test(bits) ? Number(bits) : -1;
    if (family === 0 || rest.length > 0 || length < 0 || length > most)
      throw wrong(network, "must be an address or a network such as 10.0.0.0/8");
    if (length === 0) throw wrong(network, "would trust everybody");
    this.#known.addSubnet(address, length, type);
  }
}

/** Each value of a header, in the order in which they came. */
export function valuesOf({ rawHeaders }: Sent, name: string): readonly string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);
}

/** Some proxies say `192.0.2.1:50000` or `[2001:db8::1]:50000`. */
function withoutPort(hop: string): string {
  const [, six, four] = /^(?:\[(.+)\]|([\d.]+))(?::\d+)?$/.exec(hop) ?? [];
  return six ?? four ?? hop;
}

function wrong(network: string, why: string): MillraceError {
  return new MillraceError("invalid-option", `proxies: ${JSON.stringify(network)} ${why}.`);
}
