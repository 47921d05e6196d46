import subprocess
import sys
from pathlib import Path

import latentcells.datasets as datasets

PROGRAM = """
import sys, types
package = types.ModuleType("latentcells")  # without what latentcells/__init__ imports beside it
package.__path__ = [sys.argv[1]]
sys.modules["latentcells"] = package
import latentcells.datasets
print(sorted(name for name in ("tensorflow", "keras", "jax", "torch") if name in sys.modules))
"""


def test_the_data_sets_alone_load_no_deep_learning_library():
    package = Path(datasets.__file__).parents[1]
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(package)], capture_output=True, text=True, check=False, timeout=60
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == "[]"


def test_public_names_are_documented():
    for name in datasets.__all__:
        assert getattr(datasets, name).__doc__, name
