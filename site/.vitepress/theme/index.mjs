// Without web fonts: a page loads faster in the reader's own.
import theme from "vitepress/theme-without-fonts";
import { withBase } from "vitepress";
import { defineAsyncComponent, h } from "vue";
import VersionSwitch from "./VersionSwitch.vue";
import { searchOptions } from "../../search-options.mjs";
// The later style counts.
import "./readable.css";
import "./stream.css";
import "./versions.css";

const noSuchPage = () =>
  h("main", { class: "no-such-page" }, [
    h("h1", "No such page"),
    h("p", "There is no page at this address. The search above finds a word in all pages."),
    h("p", h("a", { href: withBase("/") }, "All pages")),
  ]);

export default {
  extends: theme,
  Layout: () => h(theme.Layout, undefined, { "not-found": noSuchPage }),
  enhanceApp: ({ app }) => {
    // A page's security policy lets no function in as text, as the builder would bring these.
    const { __VP_SITE_DATA__: data } = globalThis;
    if (data !== undefined) data.themeConfig.search.options.miniSearch = searchOptions;
    app.component("VersionSwitch", VersionSwitch);
    app.component(
      "StreamSimulator",
      // Its first stream and its code are for its page alone.
      defineAsyncComponent(() => import("./StreamSimulator.vue")),
    );
  },
};
