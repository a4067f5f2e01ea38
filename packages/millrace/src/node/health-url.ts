import type { HealthServer } from "@millrace/runtime";

/** Where a health server is asked on its own machine. */
export function healthUrl({ port }: Pick<HealthServer, "port">, host: string | undefined): string {
  const shown = host === undefined || host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${shown.includes(":") ? `[${shown}]` : shown}:${port}`;
}
