"""Draw the numbers of a variant from a secret, so that a public repository holds neither them nor the answers."""

import copy
import hashlib
import hmac

import numpy as np

from tools.classroom import masters


def generator(secret: str, chapter: str, question: str) -> np.random.Generator:
    """The random generator of a question: the same for the same secret, different for another."""
    digest = hmac.new(secret.encode(), f"{chapter}/{question}".encode(), hashlib.sha256).digest()
    return np.random.default_rng(int.from_bytes(digest))


def render(master: masters.Master, secret: str) -> masters.Master:
    """The master with the numbers of its variants drawn; raises ValueError where a draw fails."""
    if not secret:
        raise ValueError("the secret is empty: any word that only you know will do")
    rendered = copy.deepcopy(master)
    namespace = None
    for question in filter(lambda question: question.draw, rendered.questions):
        namespace = namespace or _setup_namespace(master)
        values = _draw_values(question, namespace, generator(secret, master.name, question.name))
        for cell in question.cells:
            if not cell.source.startswith("# IGNORE draw"):
                cell.source = masters.fill(cell.source, values)
    return masters.parse(master.path, rendered.notebook)


def _setup_namespace(master: masters.Master) -> dict:
    namespace: dict = {}
    for source in master.setup:
        exec(compile(source, f"<{master.name}, setup>", "exec"), namespace)
    return namespace


def _draw_values(question: masters.Question, namespace: dict, rng: np.random.Generator) -> dict[str, str]:
    space = dict(namespace)
    try:
        exec(compile(question.draw, f"<{question.name}, draw>", "exec"), space)
        values = space["draw"](rng)
    except Exception as error:
        raise ValueError(
            f"question {question.name}: its draw fails: {type(error).__name__}: {error}"
        ) from None
    return {name: value if isinstance(value, str) else repr(_plain(value)) for name, value in values.items()}


def _plain(value):
    """NumPy arrays and scalars as Python objects, so that their repr is valid in a cell."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return value
