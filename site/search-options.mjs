// How the site searches: the builder makes its index with it, and the theme's search box reads it.
export const searchOptions = {
  options: {
    /** Words that a question has and a page need not have are left out, and so are endings. */
    processTerm: (term) => {
      const word = term.toLowerCase();
      if (
        /^(a|an|the|i|my|is|it|are|be|do|does|did|how|what|why|when|where|which|who|can|to|of|in|on|for|from|and|or|if|with|at|by|that|this|there|will|have|has|not|one|see|run|use|after|ever)$/.test(
          word,
        )
      )
        return null;
      if (word.length < 4) return word;
      return word
        .replace(/ies$/, "y")
        .replace(/(ing|ed|s)$/, "")
        .replace(/e$/, "");
    },
  },
  searchOptions: {
    boost: { title: 6, titles: 3, text: 1 },
    fuzzy: 0.1,
    prefix: true,
    // Who asks how to do something is not looking for why it was built so.
    boostDocument: (id) =>
      /(decisions|reference)\//.test(id)
        ? 0.3
        : /(wire-protocol|reliability|simulation|performance(-details)?|releasing|cli|errors)\./.test(
              id,
            )
          ? 0.6
          : 1,
  },
};
