"""Training rates compared: our VAE on TensorFlow and JAX, its bare training step, and scvi-tools.

Every contender trains a network 1838 -> 256 -> 64 on the same cells in mini-batches of 100. They run one after the
other, each in its own process and once per round; every second round is in reverse order. The rate of a round is that
of its median epoch; ``best_cells_per_second`` is that of its fastest epoch, which other programs disturb least.
"""

import argparse
import json
import os
import subprocess
import sys
from statistics import median

from benchmarks.records import ROOT, record
from latentcells.course.results import row

NB, BERNOULLI = "negative_binomial", "bernoulli"
# (tool, setting) -> (likelihood, {measurement: method})
CONTENDERS = {
    ("tensorflow", NB): (NB, {"fit": "VAE, TensorFlow", "bare step": "bare step, TensorFlow"}),
    ("tensorflow", BERNOULLI): (BERNOULLI, {"fit": "VAE, TensorFlow", "bare step": "bare step, TensorFlow"}),
    ("jax", NB): (NB, {"fit": "VAE, JAX"}),
    ("jax", BERNOULLI): (BERNOULLI, {"fit": "VAE, JAX"}),
    ("scvi-tools", "default"): (NB, {"train": "scvi-tools"}),
    ("scvi-tools", "plain"): (NB, {"train": "scvi-tools, no batch norm or dropout"}),
}
BASELINES = {  # method -> the metric of the other methods' ratio to it
    "bare step, TensorFlow": "ratio_to_bare_step",
    "scvi-tools": "ratio_to_scvi_tools",
    "scvi-tools, no batch norm or dropout": "ratio_to_plain_scvi_tools",
}
REQUIRED = {
    ("VAE, TensorFlow", "ratio_to_bare_step"): 0.9,
    ("VAE, TensorFlow", "ratio_to_scvi_tools"): 2.0,
    ("VAE, JAX", "ratio_to_scvi_tools"): 3.0,
}


def measure(tool, setting, epochs) -> dict:
    """The report of a contender that runs in its own process."""
    command = [sys.executable, "-m", "benchmarks.contenders", tool, setting, str(epochs)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if process.returncode:
        raise SystemExit(f"{process.stderr}\n{tool} {setting} failed: {' '.join(command[1:])}")
    return json.loads(process.stdout.splitlines()[-1])


def run(contenders, rounds, epochs):
    """(data set, {(method, likelihood): [(cells/s of the median epoch, of the fastest) of each round]})."""
    rates = {}
    for number in range(rounds):
        for tool, setting in contenders if number % 2 == 0 else reversed(contenders):
            likelihood, methods = CONTENDERS[tool, setting]
            report = measure(tool, setting, epochs)
            for what, seconds in report["seconds"].items():
                rate = report["cells"] / median(seconds), report["cells"] / min(seconds)
                rates.setdefault((methods[what], likelihood), []).append(rate)
                print(
                    f"round {number + 1}  {methods[what]:<38}{likelihood:<19}{rate[0]:>7.0f} cells/s",
                    flush=True,
                )
    return report["dataset"], rates


def ratios(rates) -> dict:
    """(method, metric, likelihood) -> the ratio of our `fit`'s rate to a baseline's in each round."""
    result = {}
    for (method, likelihood), rates_of_method in rates.items():
        for other, metric in BASELINES.items():
            same_backend = other != "bare step, TensorFlow" or method == "VAE, TensorFlow"
            if method not in BASELINES and (other, likelihood) in rates and same_backend:
                pairs = zip(rates_of_method, rates[other, likelihood], strict=True)
                result[method, metric, likelihood] = [a[0] / b[0] for a, b in pairs]
    return result


def rows(dataset, rates) -> list:
    """All rows of ``01_speed.json``."""
    rows = []
    for (method, likelihood), pairs in rates.items():
        names = "cells_per_second", "best_cells_per_second"
        for name, values in zip(names, zip(*pairs, strict=True), strict=True):
            rows.append(row(dataset, method, f"{name}[{likelihood}]", values, "cells/s", method in BASELINES))
    for (method, metric, likelihood), values in ratios(rates).items():
        rows.append(row(dataset, method, f"{metric}[{likelihood}]", values))
    return rows


def verdict(rates) -> list:
    """Each median ratio and rate, and whether it meets its requirement (None if it has none)."""
    jax = median(rate for rate, _ in rates["VAE, JAX", NB])
    lines = [(f"VAE, JAX: {jax:,.0f} cells/s (required: 11,000)", jax >= 11_000)]
    for (method, metric, likelihood), values in ratios(rates).items():
        required, ratio = REQUIRED.get((method, metric)), median(values)
        text = f"{method}: {metric}[{likelihood}] {ratio:.2f}"
        text += f" (required: {required})" if required else ""
        lines.append((text, ratio >= required if required else None))
    return lines


def main():
    """Run the contenders, print the verdict and store the run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=8, help="counted epochs of a contender in a round")
    parser.add_argument("--without-scvi", action="store_true", help="leave scvi-tools out, and store nothing")
    options = parser.parse_args()
    if os.getloadavg()[0] > 0.5:
        print("Other programs are running: the rates will be too low.", file=sys.stderr)
    contenders = [key for key in CONTENDERS if not (options.without_scvi and key[0] == "scvi-tools")]
    dataset, rates = run(contenders, options.rounds, options.epochs)
    for text, passed in verdict(rates):
        print({True: "✓", False: "✗", None: " "}[passed], text)
    if not options.without_scvi:
        record("01_speed", "make bench", rows(dataset, rates))


if __name__ == "__main__":
    main()
