"""`make zip`: the built book as one file, to unpack and read from a folder. The same site gives the same bytes."""

import argparse
import re
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

ROOT = Path(__file__).parents[1]
NAME = "latent-cells"  # of the file, and of the folder that it unpacks to
OFFER = re.compile(
    rb'<div class="lc-editions">.*?</div>', re.S
)  # the first page's links to the PDF and to this file


def pack(site: Path, archive: Path) -> None:
    """Write every file of a site to an archive, in the order of their names and without their dates.

    The first page loses its links to the files that only the published site has.

    Args:
        site: the folder of the built book.
        archive: the file to write.
    """
    with ZipFile(archive, "w", ZIP_DEFLATED) as file:
        for path in sorted(path for path in site.rglob("*") if path.is_file()):
            entry = ZipInfo(f"{NAME}/{path.relative_to(site).as_posix()}")
            entry.external_attr = 0o644 << 16
            data = path.read_bytes()
            file.writestr(entry, OFFER.sub(b"", data) if path.suffix == ".html" else data, ZIP_DEFLATED)


def main() -> None:
    """Write _build/latent-cells.zip."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    archive = ROOT / f"_build/{NAME}.zip"
    pack(ROOT / "_build/html", archive)
    print(f"The site, {archive.stat().st_size / 1e6:.0f} MB: {archive.as_uri()}")


if __name__ == "__main__":
    main()
