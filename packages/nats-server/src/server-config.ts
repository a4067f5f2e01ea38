export interface ServerConfig {
  readonly name: string;
  readonly port: number;
  readonly storeDir: string;
  readonly jetstream: boolean;
  /** Lines in the server's own configuration language, added as they are. */
  readonly extra: string;
}

/**
 * The configuration file of a private server: loopback only, everything it keeps in its own
 * directory.
 */
export function renderServerConfig(config: ServerConfig): string {
  const lines = [
    `server_name: ${JSON.stringify(config.name)}`,
    `listen: "127.0.0.1:${config.port}"`,
  ];
  if (config.jetstream) lines.push(`jetstream { store_dir: ${JSON.stringify(config.storeDir)} }`);
  return `${[...lines, config.extra].filter((line) => line !== "").join("\n")}\n`;
}
