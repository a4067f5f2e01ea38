const SQLITE = /^SQLite is an experimental feature/;

/**
 * Keeps back the one warning that Node 22 prints when its SQLite is loaded: nobody who runs a
 * command can do anything about it. All others are told.
 */
export function quietSqlite(host: Pick<NodeJS.Process, "emitWarning"> = process): void {
  const { emitWarning } = host;
  host.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    if (isOfSqlite(warning, rest[0])) return;
    Reflect.apply(emitWarning, host, [warning, ...rest]);
  };
}

function isOfSqlite(warning: string | Error, given: unknown): boolean {
  const text = typeof warning === "string" ? warning : warning.message;
  const type = typeof given === "string" ? given : (given as { type?: unknown } | undefined)?.type;
  return SQLITE.test(text) && type === "ExperimentalWarning";
}
