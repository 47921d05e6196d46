// The order of the search results; Sphinx puts this file into language_data.js, which follows searchtools.js.
// First come pages whose title has the words, then the chapters, an earlier one before a later one; the two pages
// that mention everything come last.

const MENTION_EVERYTHING = { "book/corrections": -500, "book/results": -1000 };

/** The stem of a word, in the book's spelling if that is what the book uses: "normalization" is "normalisation". */
const stemOf = (word) => {
  const stemmer = new Stemmer();
  const ours = stemmer.stemWord(word.replace(/iz(?=e|ing|ation)/, "is"));
  const { terms, titleterms } = Search._index;
  const known = Object.hasOwn(terms, ours) || Object.hasOwn(titleterms, ours);
  return known ? ours : stemmer.stemWord(word);
};
const stems = (text) =>
  splitQuery(text.toLowerCase()).filter((word) => !stopwords.includes(word)).map(stemOf);

let asked = [];
const parse = Search._parseQuery;
Search._parseQuery = (query) => {
  asked = stems(query);
  const [text, terms, ...others] = parse(query);
  const numbers = /^\d+$/; // Sphinx leaves them out
  return [text, terms.size ? new Set(asked.filter((word) => !numbers.test(word))) : terms, ...others];
};

Scorer.score = ([page, title, , description, score]) => {
  if (page in MENTION_EVERYTHING) return score + MENTION_EVERYTHING[page];
  const chapter = Number(/^chapters\/(\d+)_/.exec(page)?.[1]);
  const [heading, section] = title.split(" > ");
  const words = new Set(stems(section ?? heading));
  const matches = !description && asked.length > 0 && asked.every((word) => words.has(word));
  return score + (chapter ? 50 - chapter / 2 : 0) + (matches ? (section ? 50 : 200) : 0);
};
