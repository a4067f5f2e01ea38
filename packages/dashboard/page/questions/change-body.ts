/**
 * What is sent to have something changed. What was typed as JSON goes as it stands: the browser
 * would alter a number that the server refuses with its place.
 *
 * @param typed sent as `value`; nothing is where it is blank
 * @throws SyntaxError where it is no JSON
 */
export function changeBody(body: object, typed: string): string {
  const fields = JSON.stringify(body);
  if (typed.trim() === "") return fields;
  JSON.parse(typed);
  return `${fields.slice(0, -1)}${fields === "{}" ? "" : ","}"value":${typed}}`;
}
