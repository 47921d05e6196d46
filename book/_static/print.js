// What is printed: everything that is folded on the page, in the light theme, since paper is white.

let theme, folded;

addEventListener("beforeprint", () => {
  theme = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((details) => (details.open = true));
});

addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = theme;
  folded.forEach((details) => (details.open = false));
});
