import { hostname, userInfo } from "node:os";

/** The user and the host of this process, for marks that say who did something. */
export function whoAmI(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A user id without a name, as containers have it.
    return hostname();
  }
}
