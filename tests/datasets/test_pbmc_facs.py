def test_pbmc_facs(real, contract):
    adata = real("pbmc_facs")
    contract(adata, "pbmc_facs")
    assert adata.shape == (3874, 16791)
    assert int(adata.X.sum()) == 7675054
    assert adata.obs["label"].nunique() == 10
    assert adata.obs["label"].value_counts()["CD19+ B"] == 767 + 28
    assert adata.obs["split"].value_counts().to_dict() == {"train": 3774, "test": 100}


def test_label_and_run_are_confounded_and_the_note_says_so(real):
    adata = real("pbmc_facs")
    assert (adata.obs["label"].astype(str) == adata.obs["batch"].astype(str)).all()
    assert "confounded" in adata.uns["source"]["note"]


def test_cells_and_genes_keep_their_counts(real):
    adata = real("pbmc_facs")
    assert adata.var.loc["CD19", "gene_ids"] == "ENSG00000177455"
    by_type = adata.obs["label"] == "CD19+ B"
    cd19 = adata[:, "CD79A"].X.toarray().ravel()
    assert cd19[by_type].mean() > 20 * cd19[~by_type].mean()
