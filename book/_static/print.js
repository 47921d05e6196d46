// Paper is white: a page is printed in the light theme, whichever its reader has chosen.

let chosen;

addEventListener("beforeprint", () => {
  chosen = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});

addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = chosen;
});
