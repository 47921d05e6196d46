import keras
import pytest


@pytest.fixture
def eager(monkeypatch):
    """Run trainings of a step or two eagerly, which is faster than tracing them."""
    compile_ = keras.Model.compile

    def compile_eagerly(model, *arguments, **options):
        compile_(model, *arguments, **options | {"run_eagerly": True, "jit_compile": False})

    monkeypatch.setattr(keras.Model, "compile", compile_eagerly)
