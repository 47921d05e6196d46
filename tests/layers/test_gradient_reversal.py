import numpy as np
import pytest

from latentcells.layers import GradientReversal
from tests.helpers import gradient, run_layer_test

X = np.float32([[1.0, -2.0], [0.5, 3.0]])


@pytest.mark.backend
@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0, 10.0])
def test_the_value_is_unchanged_and_the_gradient_reversed(strength):
    layer = GradientReversal(strength)
    np.testing.assert_allclose(layer(X), X, rtol=1e-5)
    (slope,) = gradient(lambda x: layer(x) ** 2, X)
    np.testing.assert_allclose(slope, -strength * 2 * X, rtol=1e-5)


@pytest.mark.backend
def test_fulfils_what_every_layer_must(tmp_path):
    run_layer_test(GradientReversal, {"strength": 0.5}, [X], tmp_path)


@pytest.mark.parametrize("strength", [-1.0, float("inf"), float("nan")])
def test_a_strength_is_not_negative(strength):
    with pytest.raises(ValueError, match=rf"^strength must be 0 or more, got {strength!r}"):
        GradientReversal(strength)
