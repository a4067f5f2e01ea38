// uPlot asks Intl for the browser's language as soon as it is loaded. A browser on a machine that
// has none says `en-US@posix` or `C`. Intl refuses those, and the whole page would stay blank.
try {
  Intl.getCanonicalLocales(navigator.language);
} catch {
  const { locale } = new Intl.NumberFormat().resolvedOptions();
  Object.defineProperty(navigator, "language", { value: locale, configurable: true });
}
