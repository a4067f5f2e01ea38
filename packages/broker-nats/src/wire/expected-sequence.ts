/**
 * The header by which the server takes a message only where the last one on its subject has this
 * sequence; 0: where there is none.
 */
export const EXPECTED_SEQUENCE = "Nats-Expected-Last-Subject-Sequence";
