import { PrismaPg } from "@prisma/adapter-pg";
import { getPrismaClient, type GetPrismaClientConfig } from "@prisma/client/runtime/client";
import type { PrismaTransaction } from "millrace/outbox";

/** As much of a client as a test of transactions needs. */
export interface TestPrisma {
  $transaction(act: (tx: PrismaTransaction) => Promise<void>): Promise<void>;
  $disconnect(): Promise<void>;
}

type Compiler = NonNullable<GetPrismaClientConfig["compilerWasm"]>;
type Runtime = Awaited<ReturnType<Compiler["getRuntime"]>>;

/** These modules have no types. */
const COMPILER = "@prisma/client/runtime/query_compiler_fast_bg.postgresql";
const { WebAssembly: wasmOf } = globalThis as unknown as {
  readonly WebAssembly: { readonly Module: new (bytes: Uint8Array) => unknown };
};

/**
 * A client without models, made as the code is that Prisma generates. Generating it would need a
 * program that Prisma downloads.
 */
export function prismaClient(url: string): TestPrisma {
  const Client = getPrismaClient({
    previewFeatures: [],
    clientVersion: "7.10.0",
    engineVersion: "none",
    activeProvider: "postgresql",
    inlineSchema: 'datasource db {\n  provider = "postgresql"\n}\n',
    runtimeDataModel: { models: {}, enums: {}, types: {} },
    // What is generated where there is no model.
    parameterizationSchema: { strings: [], graph: "AAAA" },
    compilerWasm: {
      getRuntime: async () => (await import(`${COMPILER}.mjs`)) as Runtime,
      async getQueryCompilerWasmModule() {
        const { wasm } = (await import(`${COMPILER}.wasm-base64.mjs`)) as { readonly wasm: string };
        return new wasmOf.Module(Buffer.from(wasm, "base64"));
      },
      importName: "./query_compiler_fast_bg.js",
    },
  });
  const client: TestPrisma = new Client({ adapter: new PrismaPg({ connectionString: url }) });
  return client;
}
