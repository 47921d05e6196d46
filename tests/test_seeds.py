"""Seeds that the backend can store."""

import keras
import numpy as np

from latentcells import _seeds


def test_they_are_numpys():
    assert list(_seeds.derived(3, 8)) == np.random.SeedSequence(3).generate_state(8).tolist()


def test_on_pytorch_they_fit_into_a_signed_number_of_32_bits(monkeypatch):
    assert max(_seeds.derived(0, 99)) >= 2**31
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    found = list(_seeds.derived(0, 99))
    assert max(found) < 2**31 and len(set(found)) == 99
    assert int(_seeds.generator(2**31 + 5).state[0]) == 5
