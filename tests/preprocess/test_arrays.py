import numpy as np
import pytest

from latentcells import inputs


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("layer", [None, "counts"])
def test_inputs_is_a_dense_float32_copy(adata, layer):
    x = inputs(adata, layer)
    assert x.dtype == np.float32
    assert x.flags.c_contiguous
    np.testing.assert_array_equal(x, adata.X.toarray())
    x[:] = -1


def test_inputs_of_a_dense_matrix_shares_no_memory(adata):
    adata.X = inputs(adata)
    assert not np.shares_memory(inputs(adata), adata.X)


def test_inputs_reads_the_layer_that_was_named(adata):
    adata.layers["double"] = adata.X * 2
    np.testing.assert_array_equal(inputs(adata, "double"), 2 * inputs(adata))


def test_an_unknown_layer_lists_the_layers(adata):
    with pytest.raises(ValueError, match=r"no layer 'logcounts': choose from \['counts'\], or None for X"):
        inputs(adata, "logcounts")
