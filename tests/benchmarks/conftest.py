import keras
import pytest


@pytest.fixture
def eager(monkeypatch):
    """Trainings of a step or two run eagerly, which is faster than to trace them."""
    compile_ = keras.Model.compile

    def compile_eagerly(model, *arguments, **options):
        compile_(model, *arguments, **options | {"run_eagerly": True, "jit_compile": False})

    monkeypatch.setattr(keras.Model, "compile", compile_eagerly)
