import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { cleanUpLater } from "../harness/cleanup.ts";
import type { PackedPackage } from "./packed-packages.ts";

/**
 * A registry on loopback that knows these packages and no other, so that they resolve each other by
 * version as published ones do.
 */
export async function startLocalRegistry(packages: readonly PackedPackage[]): Promise<string> {
  const tarballs = packages.map(({ tarball }) => readFileSync(tarball));
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "");
    const index = packages.findIndex(({ manifest }) =>
      [`/${manifest.name}`, `/${manifest.name}.tgz`].includes(path),
    );
    const [found, bytes] = [packages[index], tarballs[index]];
    if (found === undefined || bytes === undefined) {
      response.writeHead(404).end("{}");
    } else if (path.endsWith(".tgz")) {
      response.end(bytes);
    } else {
      const dist = {
        tarball: `${url}${found.manifest.name}.tgz`,
        integrity: `sha512-${createHash("sha512").update(bytes).digest("base64")}`,
        shasum: createHash("sha1").update(bytes).digest("hex"),
      };
      const { name, version } = found.manifest;
      response.setHeader("content-type", "application/json").end(
        JSON.stringify({
          name,
          "dist-tags": { latest: version },
          versions: { [version]: { ...found.manifest, dist } },
          time: { [version]: "2025-01-01T00:00:00.000Z" },
        }),
      );
    }
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  cleanUpLater(
    () =>
      new Promise<void>((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  );
  return url;
}
