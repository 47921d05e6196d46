// A formula is a tab stop only where it is wider than its place, so that the arrow keys can scroll it. Without this
// file it scrolls by touch and wheel alone.

const scrolls = (formula) =>
  getComputedStyle(formula).overflowX === "auto" && formula.scrollWidth > formula.clientWidth;
const sizes = new ResizeObserver((changes) =>
  changes.forEach(({ target }) => (target.tabIndex = scrolls(target) ? 0 : -1))
);
window.addEventListener("load", () =>
  window.MathJax?.startup?.promise.then(() =>
    document.querySelectorAll("mjx-container").forEach((formula) => sizes.observe(formula))
  )
);
