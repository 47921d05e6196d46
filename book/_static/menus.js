// The theme listens to the first button of each menu, which it hides, and not to the one that it shows
// (pydata-sphinx-theme#2451, sphinx-book-theme#988): a click on the shown one goes on to the first.

for (const menu of ["primary", "secondary"]) {
  const [heard, ...shown] = document.querySelectorAll(`.${menu}-toggle`);
  for (const button of shown) button.addEventListener("click", () => heard.click());
}

// A link to a place on the page itself closes the menu that lies over it. The theme then gives the focus back to the
// button, which moves the page, so the place is shown after that.
for (const menu of document.querySelectorAll("dialog[id$='sidebar-modal']")) {
  menu.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (!link) return;
    const place = document.getElementById(link.hash.slice(1));
    menu.addEventListener("close", () => place?.scrollIntoView(), { once: true });
    menu.close();
  });
}
