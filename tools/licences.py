"""Write the table of what requirements.lock pins: each package, its version and its licence.

`make licences` writes book/reliability/licences.csv. The licence is what the installed package says of itself; nobody
has read its files. A package that the lock has for other systems alone is not installed here.
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
    """Name -> its versions, for a lock may pin one for each Python."""
    found = {}
    for name, version, _ in _PIN.findall(text):
        found.setdefault(name, []).append(version)
    return found


def licence(package) -> str:
    """What a package's metadata say: its expression, else its classifiers, else its first line on the matter."""
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
    found = []
    for name, versions in sorted(pinned(text).items()):
        try:
            terms = licence(metadata.metadata(name))
        except metadata.PackageNotFoundError:
            terms = "not installed on this system"
        found.append({"package": name, "version": " or ".join(versions), "licence": terms})
    return found


def main():
    """Write the table."""
    found = rows((ROOT / "requirements.lock").read_text(encoding="utf8"))
    with open(TABLE, "w", encoding="utf8", newline="") as file:
        writer = csv.DictWriter(file, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    print(f"{len(found)} packages: {TABLE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
