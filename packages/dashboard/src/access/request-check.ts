/** A header that a page of another origin must ask for first: we never allow it. */
export const CHANGE_HEADER = "x-millrace-change";

/**
 * Why a request that changes something is refused, or undefined. A browser is believed only where
 * it says that the request is of the dashboard's own page; a program has no origin and says so with
 * the header alone.
 */
export function changeRefusal(headers: Headers): string | undefined {
  if (headers.get(CHANGE_HEADER) !== "1")
    return `A change needs the header ${CHANGE_HEADER}: 1, so that no other site can make it.`;
  if (!(headers.get("content-type") ?? "").toLowerCase().startsWith("application/json"))
    return "A change needs a body of the type application/json.";
  const site = headers.get("sec-fetch-site");
  if (site !== null)
    return site === "same-origin" ? undefined : `The request comes from another site (${site}).`;
  const origin = headers.get("origin");
  if (origin === null || originHost(origin) === headers.get("host")?.toLowerCase())
    return undefined;
  return `The request comes from ${origin}, which is not this dashboard.`;
}

/**
 * Why a question is refused. A page of another site can't read the answer, but it could have the
 * fleet asked all the same. Who types the address, and a program, come from no site.
 */
export function askRefusal(headers: Headers): string | undefined {
  const site = headers.get("sec-fetch-site");
  return site === null || site === "same-origin" || site === "none"
    ? undefined
    : `The request comes from another site (${site}).`;
}

/**
 * Why a request is refused for the name by which it was made. A site can make its own name point to
 * this machine (DNS rebinding); the browser then sends that name.
 *
 * @param hosts names without a port, or with the one that is meant; undefined: any
 */
export function hostRefusal(
  host: string | null,
  hosts: readonly string[] | undefined,
): string | undefined {
  if (hosts === undefined) return undefined;
  const name = (host ?? "").toLowerCase();
  const bare = name.replace(/:\d+$/, "");
  if (hosts.some((one) => one.toLowerCase() === name || one.toLowerCase() === bare))
    return undefined;
  return "The dashboard is not reached by this name. Open it by the address that it printed.";
}

/** The names of this machine, for what listens on it alone. */
export const LOOPBACK_HOSTS: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
