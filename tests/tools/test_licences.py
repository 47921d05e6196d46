"""The table of licences lists the packages of the lock."""

import csv
from email.message import Message

import pytest

from tools import licences

LOCK = """absl-py==2.5.1 \\
    --hash=sha256:00
anndata==0.12.19 ; python_full_version < '3.12' \\
    --hash=sha256:00
anndata==0.13.4 ; python_full_version >= '3.12' \\
    --hash=sha256:00
"""


def package(**fields):
    message = Message()
    for name, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            message[name.replace("_", "-")] = value
    return message


def test_a_package_may_have_a_version_for_each_python():
    assert licences.pinned(LOCK) == {"absl-py": ["2.5.1"], "anndata": ["0.12.19", "0.13.4"]}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"License_Expression": "MIT", "License": "see file"}, "MIT"),
        (
            {"Classifier": ["License :: OSI Approved :: BSD License", "Topic :: x"], "License": "BSD"},
            "BSD License",
        ),
        ({"Classifier": ["License :: OSI Approved"], "License": "Apache 2.0\nmore"}, "Apache 2.0"),
        ({"License": "x" * 100}, licences.UNKNOWN),
        ({}, licences.UNKNOWN),
    ],
)
def test_the_licence_is_read_from_the_metadata(fields, expected):
    assert licences.licence(package(**fields)) == expected


def test_the_stored_table_has_the_versions_of_the_lock():
    with open(licences.TABLE, encoding="utf8", newline="") as file:
        stored = {row["package"]: row["version"] for row in csv.DictReader(file)}
    pinned = licences.pinned((licences.ROOT / "requirements.lock").read_text(encoding="utf8"))
    assert stored == {name: " or ".join(versions) for name, versions in pinned.items()}, "run: make licences"
