"""The public names of the library, found by inspection."""

import inspect

import latentcells as lc

BASES = {"GeneTransformer"}  # abstract; its two subclasses have its methods


def public_functions():
    """Dotted name -> function, class or method, below ``lc``."""
    return dict(_functions(lc, ""))


def _functions(module, prefix):
    for name in dir(module):
        value = getattr(module, name)
        module_name = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", "")
        if name.startswith("_") or not module_name.startswith("latentcells"):
            continue
        if inspect.ismodule(value):
            yield from _functions(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
        if inspect.isclass(value) and name not in BASES:
            yield from ((f"{prefix}{name}.{method}", getattr(value, method)) for method in _methods(value))


def _methods(cls):
    """The methods that the library adds to those of Keras or scikit-learn."""
    own_classes = [base for base in cls.__mro__ if base.__module__.startswith("latentcells")]
    inherited = {name for base in cls.__mro__ if base not in own_classes for name in vars(base)}
    methods = {
        name for base in own_classes for name, value in vars(base).items() if inspect.isfunction(value)
    }
    return sorted(name for name in methods - inherited if not name.startswith("_"))


PUBLIC = public_functions()
CLASSES = {name for name, value in PUBLIC.items() if inspect.isclass(value)}
# Their inputs are graph tensors, whose values cannot be checked; see tests/test_numbers.py
TENSORS = {name for name in PUBLIC if name.startswith(("objectives.", "likelihoods."))} - CLASSES
TENSORS |= {"models.ContrastiveEncoder.compare"}
