import { readFileSync } from "node:fs";
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from "@nats-io/nats-core";
import { MillraceError } from "../errors.ts";
import type { NatsAuth } from "./connection-options.ts";

/**
 * Proves at once that the files can be read and parsed, then reads them again at every dial.
 * The messages name the file and never its content.
 *
 * @throws MillraceError `credentials-unreadable`
 */
export function authenticatorOf(auth: NatsAuth): Authenticator {
  switch (auth.kind) {
    case "credentials":
      return proved(
        credsAuthenticator(() => readSecret(auth.file)),
        auth.file,
      );
    case "nkey":
      return proved(
        nkeyAuthenticator(() => trimmed(readSecret(auth.seedFile))),
        auth.seedFile,
      );
    case "token":
      return tokenAuthenticator(auth.token);
    case "password":
      return usernamePasswordAuthenticator(auth.user, auth.password);
  }
}

function proved(authenticator: Authenticator, file: string): Authenticator {
  try {
    authenticator("nonce");
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    // The cause is left out: a parser's message may quote what it read.
    throw new MillraceError(
      "credentials-unreadable",
      `The file ${file} holds no usable NATS credentials. Check its content.`,
    );
  }
  return authenticator;
}

function readSecret(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new MillraceError(
      "credentials-unreadable",
      `The credentials file ${file} can't be read. Check the path and its permissions.`,
      { cause },
    );
  }
}

function trimmed(bytes: Uint8Array): Uint8Array {
  return new TextEncoder().encode(new TextDecoder().decode(bytes).trim());
}
