import { NodeSDK } from "@opentelemetry/sdk-node";

/**
 * The application's own OpenTelemetry: everything from the `OTEL_…` variables. A node needs none of
 * this, `millrace run` does it.
 */
const sdk = new NodeSDK();
sdk.start();
// What is not sent yet is sent when the program has nothing else to do.
process.once("beforeExit", () => void sdk.shutdown());
