"""Write the table of the packages that requirements.lock pins, with their versions and licences.

`make licences` writes book/reliability/licences.csv. The licence is the one in the installed package's metadata; nobody
has read its files. A package that the lock has only for other systems is not installed here.
"""

import csv
import re
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "book" / "reliability" / "licences.csv"
UNKNOWN = "says none"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?: ; ([^\\]+))?", re.MULTILINE)


def pinned(text) -> dict:
    """Name -> versions: a lock may pin a different version for each Python."""
    versions_of = {}
    for name, version, _ in _PIN.findall(text):
        versions_of.setdefault(name, []).append(version)
    return versions_of


def licence(package) -> str:
    """The licence in a package's metadata: its expression, else its classifiers, else the first line of its text."""
    if expression := package.get("License-Expression"):
        return expression
    classifiers = [
        c.rpartition(" :: ")[2] for c in package.get_all("Classifier", []) if c.startswith("License ::")
    ]
    if classifiers := [c for c in classifiers if c != "OSI Approved"]:
        return ", ".join(classifiers)
    lines = (package.get("License") or "").strip().splitlines()
    return lines[0].strip() if lines and len(lines[0]) < 80 else UNKNOWN


def rows(text) -> list:
    """A row for each package of the lock."""
    table = []
    for name, versions in sorted(pinned(text).items()):
        try:
            terms = licence(metadata.metadata(name))
        except metadata.PackageNotFoundError:
            terms = "not installed on this system"
        table.append({"package": name, "version": " or ".join(versions), "licence": terms})
    return table


def main():
    """Write the table."""
    table = rows((ROOT / "requirements.lock").read_text(encoding="utf8"))
    with open(TABLE, "w", encoding="utf8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    print(f"{len(table)} packages: {TABLE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
