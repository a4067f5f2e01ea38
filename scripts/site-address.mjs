/** Whether a text is where a site may begin: the address of a folder on a web server. */
export function isSiteAddress(text) {
  return /^https:\/\/[^?#@]+\/$/.test(text) && URL.canParse(text);
}
