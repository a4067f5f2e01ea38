/** A canvas knows no variables; a browser works them out, and anew at each drawing. */
export function colourOf(element: HTMLElement, name: string): () => string {
  return () => {
    const sample = document.createElement("span");
    sample.style.color = `var(--${name})`;
    element.append(sample);
    const { color } = getComputedStyle(sample);
    sample.remove();
    return color;
  };
}
