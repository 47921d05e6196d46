"""What the library offers its users, read off the library itself."""

import inspect

import latentcells as lc

BASES = {"GeneTransformer"}  # it cannot be built; its methods are those of its two subclasses


def public_functions():
    """Dotted name -> function, class or method, below ``lc``."""
    return dict(_functions(lc, ""))


def _functions(module, prefix):
    for name in dir(module):
        value = getattr(module, name)
        home = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", "")
        if name.startswith("_") or not home.startswith("latentcells"):
            continue
        if inspect.ismodule(value):
            yield from _functions(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
        if inspect.isclass(value) and name not in BASES:
            yield from ((f"{prefix}{name}.{method}", getattr(value, method)) for method in _methods(value))


def _methods(cls):
    """The methods that the library adds to what Keras or scikit-learn defines."""
    ours = [base for base in cls.__mro__ if base.__module__.startswith("latentcells")]
    theirs = {name for base in cls.__mro__ if base not in ours for name in vars(base)}
    methods = {name for base in ours for name, value in vars(base).items() if inspect.isfunction(value)}
    return sorted(name for name in methods - theirs if not name.startswith("_"))


PUBLIC = public_functions()
CLASSES = {name for name, value in PUBLIC.items() if inspect.isclass(value)}
# Their inputs are tensors of a graph, whose values nobody can check: tests/test_numbers.py
TENSORS = {name for name in PUBLIC if name.startswith(("objectives.", "likelihoods."))} - CLASSES
TENSORS |= {"models.ContrastiveEncoder.compare"}
