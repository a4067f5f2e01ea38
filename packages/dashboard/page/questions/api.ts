import type { FailureView, ChangeView } from "../../src/api/views/views.ts";
import { changeBody } from "./change-body.ts";

/** An answer of the API that says why not. */
export class ApiFailure extends Error {
  readonly code: string;

  constructor({ error: { code, message } }: FailureView) {
    super(message);
    this.code = code;
  }
}

/** Relative to where the dashboard is mounted. */
function apiUrl(path: string): string {
  return new URL(`api/${path}`, document.baseURI).href;
}

export async function read<View>(path: string, signal?: AbortSignal): Promise<View> {
  const answer = await reached(fetch(apiUrl(path), signal === undefined ? {} : { signal }), "");
  return answerOf<View>(answer);
}

/** @param typed JSON that is sent as `value`, if it is not blank */
export const change = (path: string, body: object, typed: string): Promise<ChangeView> =>
  post<ChangeView>(path, body, typed);

export async function post<View>(path: string, body: object, typed = ""): Promise<View> {
  const asked = fetch(apiUrl(path), {
    method: "POST",
    // Only a page of this origin can send the header.
    headers: { "content-type": "application/json", "x-millrace-change": "1" },
    body: changeBody(body, typed),
  });
  return answerOf<View>(await reached(asked, MAY_BE_DONE));
}

/** The request may have come there, and the answer not back. */
const MAY_BE_DONE =
  " Nobody knows whether the change was made: look before you ask for it again, at Operations or Audit.";

/** A browser says "Failed to fetch". */
async function reached(asked: Promise<Response>, besides: string): Promise<Response> {
  try {
    return await asked;
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new Error(`The dashboard can’t be reached.${besides}`, { cause });
  }
}

export function liveUrl(): string {
  return apiUrl("live");
}

async function answerOf<View>(response: Response): Promise<View> {
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok && answer !== undefined) return answer as View;
  if (isFailure(answer)) throw new ApiFailure(answer);
  throw new Error(
    response.ok
      ? "Something else answered in the dashboard's place: a proxy may ask you to sign in. Load the page again."
      : `The dashboard's server answered with ${response.status}.`,
  );
}

function isFailure(answer: unknown): answer is FailureView {
  return typeof answer === "object" && answer !== null && "error" in answer;
}
