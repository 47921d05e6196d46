// A figure that is drawn smaller than its width attribute says becomes a button: it opens the figure at full size, in a
// dialog that scrolls in both directions. Escape, a tap and the button close it. Without this file it stays a picture.

const dialog = Object.assign(document.createElement("dialog"), { className: "lc-figure", ariaLabel: "Figure, full size" });
dialog.innerHTML = `<button type="button">Close</button><div tabindex="0" autofocus></div>`;
dialog.addEventListener("click", () => dialog.close());
dialog.addEventListener("keydown", ({ key }) => key === "Escape" && dialog.close()); // Sphinx takes the browser's own
document.body.append(dialog);

const enlarge = (image) => {
  dialog.lastElementChild.replaceChildren(image.cloneNode());
  dialog.showModal();
};

const buttonAround = (image) => {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "lc-enlarge", ariaLabel: `Enlarge the figure: ${image.alt}` });
  button.addEventListener("click", () => enlarge(image));
  image.replaceWith(button);
  button.append(image);
};

const figureSizes = new ResizeObserver((changes) =>
  changes.forEach(({ target: image }) => {
    const button = image.closest(".lc-enlarge");
    const small = image.clientWidth < image.getAttribute("width");
    if (small && !button) buttonAround(image);
    if (!small) button?.replaceWith(image);
  })
);
document.querySelectorAll(".bd-content img[width]").forEach((image) => figureSizes.observe(image));
