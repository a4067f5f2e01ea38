/** Why a job is a dead letter. */
export type DeadReason =
  | "undecodable"
  | "invalid-envelope"
  | "unsupported-version"
  | "unknown-name"
  | "invalid-payload"
  | "payload-too-large"
  | "attempts-exhausted"
  | "fatal"
  | "crashed"
  | "expired"
  | "chain-broken"
  | "next-not-allowed"
  | "parked-full"
  | "unsettled";
