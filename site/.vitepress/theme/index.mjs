// Without web fonts: a page loads faster in the reader's own.
export { default } from "vitepress/theme-without-fonts";
// The later style counts.
import "./readable.css";
