// A table that is wider than its place is shown as a list: each row is a block, and each value has its column's name.
// Without this file it scrolls.

const cellText = (cell) => cell?.textContent.trim() ?? "";

/** The cells of rows, by row and column; a cell that spans several places is in each of them. */
const grid = (rows) => {
  const places = rows.map(() => []);
  rows.forEach((row, y) => {
    for (const cell of row.cells) {
      const free = places[y].findIndex((place) => !place);
      const x = free < 0 ? places[y].length : free;
      for (const line of places.slice(y, y + cell.rowSpan))
        for (let i = x; i < x + cell.colSpan; i += 1) line[i] = cell;
    }
  });
  return places;
};

/** Write into each row what a list says of it. The first cells of a row are its heading: <th>, or the first <td>. */
const label = (table) => {
  const heads = grid([...table.tHead.rows]);
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
  grid(rows).forEach((cells, y) => {
    const isHeading = (cell, x) => x === 0 || cell.tagName === "TH";
    const first = cells.findIndex((cell, x) => !isHeading(cell, x));
    const last = heads.length > 1 ? heads.at(-1) : []; // pandas names the headings in a row that has nothing else
    const named = !last.slice(first).some(cellText);
    rows[y].dataset.above = cells.filter((cell) => cell.parentElement !== rows[y]).map(cellText).join(" · ");
    cells.forEach((cell, x) => {
      const levels = new Set(heads.map((head) => cellText(head[x])).filter(Boolean));
      cell.dataset.column = isHeading(cell, x) ? (named ? cellText(last[x]) : "") : [...levels].join(" · ");
    });
  });
};

const fit = (some) => {
  some.forEach((table) => table.classList.remove("lc-list"));
  const wide = some.filter((table) => table.offsetWidth > table.parentElement.clientWidth);
  wide.forEach((table) => table.classList.add("lc-list"));
};

const allTables = [...document.querySelectorAll(".bd-content table:has(thead)")];
const tableSizes = new ResizeObserver((changes) =>
  requestAnimationFrame(() => fit(allTables.filter((table) => changes.some(({ target }) => target === table.parentElement))))
);
allTables.forEach(label);
fit(allTables);
allTables.forEach((table) => tableSizes.observe(table.parentElement));
