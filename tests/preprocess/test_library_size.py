import anndata
import numpy as np
import pytest
import scanpy as sc
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from latentcells import inputs
from latentcells.preprocess import LibrarySize, split
from tests.helpers import refused


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("target_sum", [1e4, 1e6, None])
@pytest.mark.parametrize("log1p", [True, False])
def test_equals_scanpy(adata, target_sum, log1p):
    expected = sc.pp.normalize_total(adata, target_sum=target_sum, copy=True)
    if log1p:
        sc.pp.log1p(expected)
    result = LibrarySize(target_sum, log1p).fit(adata).transform(adata)
    np.testing.assert_allclose(inputs(result), inputs(expected), rtol=1e-6)
    assert result.uns == expected.uns
    assert result.X.dtype == np.float32


def test_equals_the_equation(adata):
    counts = inputs(adata).astype(np.float64)
    expected = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    np.testing.assert_allclose(inputs(LibrarySize().fit(adata).transform(adata)), expected, rtol=1e-6)


def test_dense_equals_sparse(adata):
    result = inputs(LibrarySize().fit(adata).transform(adata))
    adata.X = inputs(adata)
    np.testing.assert_allclose(inputs(LibrarySize().fit(adata).transform(adata)), result, rtol=1e-6)


@settings(deadline=None, max_examples=25)
@given(arrays(np.int32, (3, 4), elements=st.integers(1, 50)), st.integers(2, 9))
def test_depth_has_no_effect(counts, deeper):
    shallow, deep = anndata.AnnData(counts), anndata.AnnData(counts * deeper)
    step = LibrarySize().fit(shallow)
    np.testing.assert_allclose(step.transform(deep).X, step.transform(shallow).X, rtol=1e-5)


def test_the_median_is_that_of_the_training_cells(adata):
    train, test = split(adata)
    test.X = test.X * 10  # deeper test cells must not move the target
    step = LibrarySize(None, log1p=False).fit(train)
    assert step.target_sum_ == np.median(inputs(train).sum(axis=1))
    np.testing.assert_allclose(inputs(step.transform(test)).sum(axis=1), step.target_sum_, rtol=1e-5)
    np.testing.assert_array_equal(inputs(step.transform(test[:3])), inputs(step.transform(test))[:3])


def test_counts_are_kept(adata):
    result = LibrarySize().fit(adata).transform(adata)
    np.testing.assert_array_equal(inputs(result, "counts"), inputs(adata))
    del adata.layers["counts"]
    result = LibrarySize().fit(adata).transform(adata)
    np.testing.assert_array_equal(inputs(result, "counts"), inputs(adata))


@pytest.mark.parametrize("call", ["fit", "transform"])
def test_refuses_log1p_data(adata, call):
    step = LibrarySize().fit(adata)
    with pytest.raises(
        ValueError, match=r'log1p already .*adata.X = adata.layers\["counts"\].copy\(\) and del'
    ):
        getattr(step, call)(step.transform(adata))


@pytest.mark.parametrize("call", ["fit", "transform"])
def test_says_where_the_counts_are(adata, call):
    """The remedy depends on the contents of the AnnData."""
    step, counts = LibrarySize().fit(adata), adata.X.copy()
    use = getattr(step, call)
    start = r'^X went through log1p already \(uns\["log1p"\] is set\), normalising it twice is wrong: '
    end = r'del adata\.uns\["log1p"\]$'
    logged = step.transform(adata)
    refused(lambda: use(logged), rf'{start}set adata\.X = adata\.layers\["counts"\]\.copy\(\) and {end}')
    del logged.layers["counts"]
    refused(lambda: use(logged), start + end)
    del logged.uns["log1p"]
    refused(lambda: use(logged), r"like log1p data; start from the counts, this AnnData holds none$")
    logged.raw = adata
    refused(lambda: use(logged), r"set adata\.X = adata\.raw\[:, adata\.var_names\]\.X\.copy\(\)$")
    logged.X = logged.raw[:, logged.var_names].X.copy()  # follow the remedy
    np.testing.assert_array_equal(inputs(step.transform(logged), "counts"), counts.toarray())


@pytest.mark.parametrize("call", ["fit", "transform"])
def test_refuses_an_absent_x(adata, call):
    use = getattr(LibrarySize().fit(adata), call)
    layer = anndata.AnnData(obs=adata.obs, var=adata.var, layers={"counts": adata.X})
    refused(lambda: use(layer), r"^the AnnData has no X: set adata\.X = adata\.layers\['counts'\]\.copy\(\)$")
    del layer.layers["counts"]
    refused(lambda: use(layer), r"^the AnnData has no X: set adata\.X = a matrix \(cells, genes\)$")


@pytest.mark.parametrize("call", ["fit", "transform"])
@pytest.mark.parametrize(("value", "looks"), [(0.5, "unit"), (1.7, "log1p"), (-1, "z-scores")])
def test_refuses_anything_but_counts(adata, call, value, looks):
    step = LibrarySize().fit(adata)
    adata.X = np.full(adata.shape, value)
    with pytest.raises(ValueError, match=f"X must hold counts .* got {value}: looks like {looks}"):
        getattr(step, call)(adata)


@pytest.mark.parametrize("call", ["fit", "transform"])
def test_refuses_cells_without_a_molecule(adata, call):
    step = LibrarySize().fit(adata)
    adata.X = inputs(adata) * (np.arange(240) != 7)[:, None]
    with pytest.raises(ValueError, match=r"X has 1 cells with a total of 0 .*index 7"):
        getattr(step, call)(adata)


def test_libraries_may_be_larger_than_the_dtype_of_the_counts():
    counts = np.full((3, 100), 700, "float16")  # float16 ends at 65,504
    assert LibrarySize(None).fit(anndata.AnnData(counts)).target_sum_ == 70_000


def test_genes_without_a_molecule_stay_zero(adata):
    adata.X = inputs(adata) * (np.arange(80) != 7)
    assert not inputs(LibrarySize().fit(adata).transform(adata))[:, 7].any()


def test_refuses_to_transform_before_fit(adata):
    with pytest.raises(
        ValueError, match=r"LibrarySize is not fitted: call fit\(train\) with the training cells"
    ):
        LibrarySize().transform(adata)


@pytest.mark.parametrize("target_sum", [0, -1e4, float("nan")])
def test_refuses_a_target_that_is_not_positive(target_sum):
    with pytest.raises(ValueError, match=f"target_sum must be positive, got {target_sum}"):
        LibrarySize(target_sum)
