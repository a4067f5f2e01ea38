import type { ServerGeneration } from "./version.ts";

/**
 * What is known of a server before it is fetched. Whoever serves the archive can also serve a
 * checksum that fits it, so the checksums are here. A new release gets its lines from the
 * `SHA256SUMS` of two places, such as the release and the official container image's recipe.
 */
export interface PinnedRelease {
  readonly version: string;
  /** SHA-256 of `nats-server-v<version>-<platform>.tar.gz` (`.zip` on Windows), by platform. */
  readonly archives: Readonly<Record<string, string>>;
}

/** The release archive to fetch, by generation: the newest whose checksums are known here. */
export const PINNED_ARCHIVES: Readonly<Record<ServerGeneration, PinnedRelease>> = {
  newest: {
    version: "2.15.0",
    archives: {
      "linux-amd64": "5d2c51caca950333aba84911df7d377f826f3a59ec36061c6539105084f65c92",
      "linux-arm64": "cdc208f5a3f42963a52b6ab06ef65626bb870315dc936e26ba571780c6351112",
      "linux-arm7": "ec5f4689d017e07cfa18442e10da051c0f3f9dd2e7f4dc7cdb55a11f1303c952",
      "linux-386": "f572eccdbb35ab5c7fef7703a5b6ca49e55d039e441920ba5478972ecdcf7a47",
      "linux-s390x": "ac50bf4adc8fa6db575ed9293417b6fbec746e71cc9d360aea5cd447e4207bfc",
      "linux-ppc64le": "a402bf73f91f674735cc85aa0e7d06d5dfa3044b98cda6ea9937cfee4e05a266",
    },
  },
  "2.12": {
    version: "2.12.15",
    archives: {
      "linux-amd64": "58ab8131f819263897e2fc38e503e1b755b63bcafeecc7d12582487df48ca15e",
      "linux-arm64": "b724db99fefbf8f5c808baa82819ee50350aee9734017e4a478f7e545cef3ab6",
    },
  },
  "2.11": {
    version: "2.11.17",
    archives: {
      "linux-amd64": "ad608dd0ea8bbfa58c40e3b8f58ed67478eec26166ec49c502db8d17589b51b5",
      "linux-arm64": "d21df24f262f34f8bf6d1f0bca557c08429e433fd9f60f6983105539ae517feb",
    },
  },
  "2.10": {
    version: "2.10.29",
    archives: {
      "linux-amd64": "e314da74a83a1d3876db8814c27eb990fe729640fd6452025b441bcede8390da",
      "linux-arm64": "da4b27942ecfb4c5f0c54553d2e7f470ddda9d7581cfe8131b351a0e223ed401",
      "linux-arm7": "a59e7336a32ef78b0ca8bc3e6707a5770461d3f45c4c2f96cfef263f26eaefd5",
      "linux-386": "abc385394c19784558f7aa2f9770fe2daceb22cf95e3fa398c832590479396b0",
      "linux-s390x": "ee821b1eae8bb98a0d4603510a41613dd15afef244261a79da33515699d1aece",
      "linux-ppc64le": "31b0063d261e5d8c59396f8a3f9298ad80b36fd4bc370ce59e5d160f55a0fe46",
      "windows-amd64": "98657bf4d5a9ce44168c019ba6894cda8e22e6adc8798edc05c168db7262de29",
    },
  },
};

/**
 * The hash of the whole module (`h1:`, as in a `go.sum`) by version. It covers the module and the
 * versions that it asks for, in its `go.mod`. What these are `go install` checks against Go's
 * checksum database, not the module's `go.sum`: with GOSUMDB=off, or GONOSUMDB or GOPRIVATE for
 * them, nothing does.
 */
export const PINNED_MODULES: Readonly<Record<string, string>> = {
  "2.15.2": "h1:yLsgt2kslgymvxvjFq1WGWck5hkat2YYfbXvQ145tzU=",
  "2.12.15": "h1:ETr9+LamgSyw+70x1iJm4J9m//sN5KSChQWk4uxJJJo=",
  "2.11.17": "h1:GKEghcFK6A+aFx11Yf1LjgLC3txAwvyhnYzhBIQZA8I=",
  "2.10.29": "h1:IJ8TrZaiMZUrPGavMvP7hNAE9lYnHTThuthpwlsdlbc=",
};
