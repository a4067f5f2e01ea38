// Without web fonts: a page loads faster in the reader's own.
import theme from "vitepress/theme-without-fonts";
import { defineAsyncComponent } from "vue";
import VersionSwitch from "./VersionSwitch.vue";
import { searchOptions } from "../../search-options.mjs";
// The later style counts.
import "./readable.css";
import "./stream.css";
import "./versions.css";

export default {
  extends: theme,
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
