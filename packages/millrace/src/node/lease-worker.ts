// For bundlers: an entry of its own, written beside the bundle as `lease-worker.js`. See
// docs/runtimes.md.
import "@millrace/broker-nats/lease-worker";
