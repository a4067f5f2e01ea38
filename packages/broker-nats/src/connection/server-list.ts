import { MillraceError } from "../errors.ts";

const SCHEME = /^[a-z]+:\/\//i;
/** A name, an IPv4 address, or an IPv6 one with or without brackets; and a port, if any. */
const HOST = /^(?:\[[^\]]*\]|[^:]*|[\da-f]*:[\da-f]*:[\da-f:.]*)(?::\d{1,5})?\/?$/i;

/**
 * Servers out of a text with commas. A comma in a password would make two servers of it, and the
 * first would be shown with half of the password as its port.
 *
 * @throws MillraceError `invalid-option`, without what was given
 */
export function serverList(text: string): string[] {
  const servers = text
    .split(",")
    .map((server) => server.trim())
    .filter((server) => server !== "");
  if (servers.every(isWhole)) return servers;
  throw new MillraceError(
    "invalid-option",
    "A server's address is host:port, and each one with a user begins with its scheme (nats://). Where a comma belongs to a password, write it as %2C.",
  );
}

/**
 * Whether it is a server by itself. A password's first piece may look like a host and its port
 * (`ada:4711`): it is known by what follows it, a user or a password without a scheme.
 */
function isWhole(server: string, place: number): boolean {
  const scheme = SCHEME.exec(server)?.[0] ?? "";
  if (!server.includes("@")) return HOST.test(server.slice(scheme.length));
  if (scheme === "" && place > 0) return false;
  return HOST.test(server.slice(server.lastIndexOf("@") + 1));
}
