// Makes the tables of the results page sortable and filterable. Without it they are plain tables, the baselines first.

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

const byName = new Intl.Collator("en", { numeric: true }).compare;
const text = (cell) => cell.textContent;
const number = (cell) => Number(cell.dataset.value);
const compare = {
  text: (a, b) => byName(text(a), text(b)),
  number: (a, b) => number(a) - number(b),
};
const NEXT = { none: "ascending", ascending: "descending", descending: "none" };

/** Turn the heads of a table into buttons: ascending, descending, and back to the order of the page. */
const sortable = (table) => {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const heads = [...table.tHead.rows[0].cells].filter((head) => head.dataset.sort);
  heads.forEach((head) => {
    const button = element("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const order = NEXT[head.getAttribute("aria-sort")];
      heads.forEach((other) => other.setAttribute("aria-sort", other === head ? order : "none"));
      const way = order === "descending" ? -1 : 1;
      const cell = (row) => row.cells[head.cellIndex];
      const sorted = (a, b) => way * compare[head.dataset.sort](cell(a), cell(b));
      body.append(...(order === "none" ? original : [...body.rows].sort(sorted)));
    });
  });
};

/** Hide what holds none of the rows that are shown. */
const hideEmpty = (places, rows) => places.forEach((place) => (place.hidden = !place.querySelector(rows)));

/** A field above the first section: rows that lack one of its words are hidden, and folded tables with others open. */
const filterable = (tables) => {
  const sections = [...document.querySelectorAll("section[id^='chapter-']")];
  const rows = tables.flatMap((table) => {
    const chapter = table.closest("section").parentElement.firstElementChild;
    const about = `${text(chapter)} ${text(table.caption)}`;
    return [...table.tBodies[0].rows].map((row) => ({ row, words: `${about} ${text(row)}`.toLowerCase() }));
  });
  const blocks = tables.map((table) => table.closest(".lc-block"));
  const opened = new Set(); // by the filter: closed again when it is emptied
  const status = element("p");
  status.setAttribute("role", "status");
  const input = element("input", { type: "search", id: "lc-filter", autocomplete: "off", spellcheck: false });

  const show = () => {
    const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach(({ row, words }) => (row.hidden = !wanted.every((word) => words.includes(word))));
    hideEmpty(blocks, "tbody tr:not([hidden])");
    hideEmpty(sections, "tbody tr:not([hidden])");
    blocks.filter((block) => block.matches("details")).forEach((block) => {
      if (wanted.length && !block.hidden && !block.open) opened.add(block);
      if (opened.has(block)) block.open = wanted.length > 0 && !block.hidden;
    });
    if (!wanted.length) opened.clear();
    const shown = rows.filter(({ row }) => !row.hidden).length;
    status.textContent = wanted.length ? `${shown} of ${rows.length} rows have these words.` : `${rows.length} rows.`;
  };

  const label = element("label", { htmlFor: "lc-filter" }, "Show only rows with these words");
  const example = element("p", {}, "For example ", element("code", {}, "kang scib_total"), ", or ", element("code", {}, "PCA-50 2000 genes"), ".");
  input.addEventListener("input", show);
  sections[0].before(element("search", { className: "lc-filter" }, label, input, example, status));
  show();
};

const tables = [...document.querySelectorAll("table.lc-results")];
tables.forEach(sortable);
if (tables.length) filterable(tables);
