import anndata
import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler

from latentcells import inputs
from latentcells.preprocess import LibrarySize, MinMax, split
from tests.helpers import refused


@pytest.mark.usefixtures("unchanged")
def test_equals_scikit_learn(adata):
    train, test = split(LibrarySize().fit(adata).transform(adata))
    expected = MinMaxScaler(clip=True).fit(inputs(train)).transform(inputs(test))
    result = MinMax().fit(train).transform(test)
    np.testing.assert_allclose(result.X, expected, rtol=1e-6)
    assert result.X.dtype == np.float32
    np.testing.assert_array_equal(inputs(result, "counts"), inputs(test, "counts"))


@pytest.mark.usefixtures("unchanged")
def test_training_genes_span_0_to_1(adata):
    x = MinMax().fit(adata).transform(adata).X
    np.testing.assert_allclose([x.min(axis=0), x.max(axis=0)], [[0] * 80, [1] * 80], atol=1e-6)


def test_new_cells_are_scaled_by_the_training_cells_and_clipped(adata):
    train, test = split(adata)
    step = MinMax().fit(train)
    expected = step.transform(test[:3]).X
    test.X = test.X * 100
    test.X[:3] = test.X[:3] / 100
    np.testing.assert_array_equal(step.transform(test).X[:3], expected)
    assert (step.transform(test).X.min(), step.transform(test).X.max()) == (0, 1)


@pytest.mark.parametrize("constant", [0, 5])
def test_a_constant_gene_becomes_0_in_new_cells_too(adata, constant):
    adata.X = inputs(adata)
    adata.X[:200, 4] = constant
    adata.X[200:, 4] = 9
    x = MinMax().fit(adata[:200]).transform(adata).X
    assert not x[:, 4].any()
    assert x[:, 5].any()


@pytest.mark.parametrize("call", ["fit", "transform"])
def test_refuses_nan(adata, call):
    step = MinMax().fit(adata)
    adata.X = inputs(adata)
    adata.X[3, 3] = np.nan
    with pytest.raises(ValueError, match="X must be finite, got nan"):
        getattr(step, call)(adata)


@pytest.mark.parametrize("call", ["fit", "transform"])
def test_refuses_an_absent_x(adata, call):
    use = getattr(MinMax().fit(adata), call)
    layer = anndata.AnnData(obs=adata.obs, var=adata.var, layers={"log1p": adata.X})
    refused(lambda: use(layer), r"^the AnnData has no X: set adata\.X = adata\.layers\['log1p'\]\.copy\(\)$")


def test_refuses_other_genes(adata):
    with pytest.raises(ValueError, match="adata has 40 genes, expected 80"):
        MinMax().fit(adata).transform(adata[:, :40])
    with pytest.raises(ValueError, match="adata has gene 'gene79' at position 0, expected 'gene0'"):
        MinMax().fit(adata).transform(adata[:, ::-1])


def test_refuses_to_transform_before_fit(adata):
    with pytest.raises(ValueError, match=r"MinMax is not fitted: call fit\(train\)"):
        MinMax().transform(adata)
