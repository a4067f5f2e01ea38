/** Of a picture, in pixels. */
export const WIDTH = 860;
export const MARGIN = 16;

/** Texts for a light and a dark page. */
export const TEXT_STYLE = `text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 } .note { fill: #57606a }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .note { fill: #9198a1 } }`;

export function text(x: number, y: number, kind: string, content: string): string {
  return `<text class="${kind}" x="${x}" y="${y}">${escaped(content)}</text>`;
}

/** A picture of a page's width, with what it shows told to those who don't see it. */
export function picture(
  {
    height,
    label,
    style,
  }: { readonly height: number; readonly label: string; readonly style: string },
  drawn: readonly string[],
): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${label}">
<style>${TEXT_STYLE}
${style}</style>
${drawn.join("\n")}
</svg>
`;
}

function escaped(content: string): string {
  return content.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
