/**
 * The same bytes, not as the socket's own Buffer: what a decoder cuts out of it, a job's bytes
 * among them, would be Buffers too.
 */
export function plainBytes({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
