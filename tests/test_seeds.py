"""Seeds that the backend can store."""

import keras
import numpy as np

from latentcells import _seeds


def test_derived_seeds_are_those_of_numpy():
    assert list(_seeds.derived(3, 8)) == np.random.SeedSequence(3).generate_state(8).tolist()


def test_on_pytorch_seeds_fit_into_a_signed_32_bit_integer(monkeypatch):
    assert max(_seeds.derived(0, 99)) >= 2**31
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    seeds = list(_seeds.derived(0, 99))
    assert max(seeds) < 2**31 and len(set(seeds)) == 99
    assert int(_seeds.generator(2**31 + 5).state[0]) == 5
