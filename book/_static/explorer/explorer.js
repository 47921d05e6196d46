// The latent explorer: a point on the map of cells, moved by pointer, slider or button, and what it decodes to.

import { decode, load } from "./decoder.js";

const NEIGHBOURS = 15;
const SIZE = 400; // of the map, in its own units

const element = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
const drawn = (name, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
const fill = (made, attributes, children) => {
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.append(...children);
  return made;
};
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** The cells as {z, label}, and the square of the latent space that holds them with a margin. */
const mapOf = ({ cells, labels }) => {
  const points = Array.from(cells.label, (label, i) => ({ z: [cells.z[2 * i], cells.z[2 * i + 1]], label }));
  const axes = [0, 1].map((axis) => {
    const values = points.map(({ z }) => z[axis]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return { low: low - 0.06 * (high - low), high: high + 0.06 * (high - low) };
  });
  const centres = labels.map((_, label) =>
    [0, 1].map((axis) => median(points.filter((p) => p.label === label).map(({ z }) => z[axis]))),
  );
  return { points, axes, centres };
};

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** The largest distance of a cell from the cell next to it: farther out, nothing was ever seen. */
const widestGap = (points) =>
  Math.max(...points.map((p) => Math.min(...points.filter((q) => q !== p).map((q) => distance(p.z, q.z)))));

const description = (z, points, labels, gap) => {
  const near = points
    .map((p) => ({ label: p.label, away: distance(p.z, z) }))
    .sort((a, b) => a.away - b.away)
    .slice(0, NEIGHBOURS);
  if (near[0].away > gap) return "No cell is near. Here the decoder has seen nothing, and guesses.";
  const counts = labels.map((_, label) => near.filter((p) => p.label === label).length);
  const most = counts.indexOf(Math.max(...counts));
  return `Of the ${NEIGHBOURS} nearest cells, ${counts[most]} have the label ${labels[most].name}.`;
};

const start = async (place) => {
  const model = await load(new URL("decoder.json", import.meta.url));
  const { genes, labels } = model;
  const { points, axes, centres } = mapOf(model);
  const gap = widestGap(points);
  const top = Math.max(
    ...centres.flatMap((z) => ((x) => genes.map((gene) => Math.log1p(x[gene.place])))(decode(model, z))),
  );
  const share = (z, axis) => (z[axis] - axes[axis].low) / (axes[axis].high - axes[axis].low);
  const at = (z) => [SIZE * share(z, 0), SIZE * (1 - share(z, 1))];

  const handle = drawn("g", { class: "lc-handle" }, drawn("circle", { r: 11 }), drawn("circle", { r: 3 }));
  const map = drawn(
    "svg",
    { viewBox: `0 0 ${SIZE} ${SIZE}`, role: "img", "aria-label": `Map of ${points.length} cells in the latent space` },
    ...points.map(({ z, label }) => {
      const [cx, cy] = at(z);
      return drawn("circle", { cx, cy, r: 2.6, fill: labels[label].colour });
    }),
    handle,
  );
  const sliders = axes.map(({ low, high }, axis) =>
    element("input", { type: "range", min: low, max: high, step: "any", "aria-label": `Latent coordinate ${axis + 1}` }),
  );
  const values = genes.map(() => element("td", { class: "lc-value" }));
  const bars = genes.map(() => element("div", { class: "lc-bar" }));
  const status = element("p", { role: "status" });

  let z = centres[0];
  let telling;
  const show = (to) => {
    z = to.map((value, axis) => Math.min(Math.max(value, axes[axis].low), axes[axis].high));
    const [x, y] = at(z);
    handle.setAttribute("transform", `translate(${x} ${y})`);
    sliders.forEach((slider, axis) => {
      slider.value = z[axis];
      slider.setAttribute("aria-valuetext", z[axis].toFixed(2));
    });
    const decoded = decode(model, z);
    genes.forEach((gene, i) => {
      values[i].textContent = decoded[gene.place].toFixed(1);
      bars[i].style.width = `${Math.min(100, (100 * Math.log1p(decoded[gene.place])) / top)}%`;
    });
    clearTimeout(telling); // the sentence waits until the point rests: a screen reader reads it out
    telling = setTimeout(() => (status.textContent = description(z, points, labels, gap)), 150);
  };

  const drag = (event) => {
    const box = map.getBoundingClientRect();
    const right = (event.clientX - box.left) / box.width;
    const up = 1 - (event.clientY - box.top) / box.height;
    show([right, up].map((part, axis) => axes[axis].low + part * (axes[axis].high - axes[axis].low)));
  };
  map.addEventListener("pointerdown", (event) => {
    map.setPointerCapture(event.pointerId);
    drag(event);
  });
  map.addEventListener("pointermove", (event) => map.hasPointerCapture(event.pointerId) && drag(event));
  sliders.forEach((slider) => {
    slider.addEventListener("input", () => show(sliders.map((each) => each.valueAsNumber)));
    slider.addEventListener("keydown", (event) => {
      const way = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (!way) return;
      event.preventDefault();
      const axis = sliders.indexOf(slider);
      show(z.map((value, i) => value + (i === axis ? (way * (axes[i].high - axes[i].low)) / 100 : 0)));
    });
  });

  const legend = labels.map(({ name, colour }, label) => {
    const swatch = element("span", { class: "lc-swatch", style: `background: ${colour}` });
    const button = element("button", { type: "button" }, swatch, name);
    button.addEventListener("click", () => show(centres[label]));
    return element("li", {}, button);
  });
  const rows = genes.map(({ name, known_for: cells }, i) =>
    element(
      "tr",
      { "data-gene": name },
      element("th", { scope: "row" }, name, element("span", {}, cells)),
      element("td", {}, bars[i]),
      values[i],
    ),
  );
  const head = ["Gene, and the cells it is known for", "log1p", "per ten thousand"];
  place.append(
    element(
      "div",
      { class: "lc-map" },
      map,
      ...sliders.map((slider, axis) => element("label", {}, element("i", {}, "z"), element("sub", {}, axis + 1), slider)),
    ),
    element(
      "div",
      { class: "lc-genes" },
      status,
      element(
        "table",
        {},
        element("caption", {}, "Decoded expression at the point"),
        element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
        element("tbody", {}, ...rows),
      ),
    ),
    element(
      "div",
      { class: "lc-legend" },
      element("p", {}, "Go to the centre of a label:"),
      element("ul", {}, ...legend),
    ),
  );
  show(z);
  place.hidden = false;
  document.getElementById("explorer-picture").hidden = true;
};

await start(document.getElementById("explorer"));
