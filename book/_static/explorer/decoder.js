// The decoder of the course's VAE (lib/latentcells/models/vae.py), with the weights that `make explorer` wrote.

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const floats = (text) => new Float32Array(bytes(text).buffer);

/** What decoder.json says, with its arrays read. */
export const load = async (address) => {
  const model = await (await fetch(address)).json();
  return {
    ...model,
    layers: model.layers.map(({ kernel, bias }) => ({ kernel: floats(kernel), bias: floats(bias) })),
    cells: { z: floats(model.cells.z), label: bytes(model.cells.label) },
  };
};

/** inputs (n) -> kernelᵀ inputs + bias (units); the kernel is stored row by row, (n, units). */
const dense = ({ kernel, bias }, inputs) =>
  Float64Array.from(bias, (b, unit) => inputs.reduce((sum, x, i) => sum + x * kernel[i * bias.length + unit], b));

/** The expected counts of every gene at z: library · softmax of the last layer, after ReLU layers. */
export const decode = ({ layers }, z, library = 1e4) => {
  const hidden = layers.slice(0, -1).reduce((x, layer) => dense(layer, x).map((v) => Math.max(v, 0)), z);
  const logits = dense(layers.at(-1), hidden);
  const largest = Math.max(...logits);
  const weights = logits.map((v) => Math.exp(v - largest));
  const total = weights.reduce((sum, v) => sum + v, 0);
  return weights.map((v) => (library * v) / total + 1e-8);
};
