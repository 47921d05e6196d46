def test_kang(real, contract):
    adata = real("kang")
    contract(adata, "kang")
    assert adata.shape == (2800, 14053)
    assert int(adata.X.sum()) == 5799413
    assert adata.obs["label"].nunique() == 13
    assert adata.obs["condition"].value_counts().to_dict() == {"stimulated": 1490, "control": 1310}
    assert (adata.obs["batch"] == adata.obs["condition"]).all()


def test_stimulated_cells_respond_to_interferon(real):
    adata = real("kang")
    isg15 = adata[:, "ISG15"].X.toarray().ravel()
    stimulated = adata.obs["condition"] == "stimulated"
    assert isg15[stimulated].mean() > 10 * isg15[~stimulated].mean()


def test_565_genes_have_no_count(real):
    assert (real("kang").X.getnnz(axis=0) == 0).sum() == 565
