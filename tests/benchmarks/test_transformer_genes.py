"""The functions of chapter 7's stored run, on the data that come with scanpy."""

import numpy as np
import pytest

import latentcells as lc
from benchmarks import transformer, transformer_genes
from benchmarks.alone import run_alone

GENES = 60


@pytest.fixture
def task(monkeypatch, eager):
    adata = lc.preprocess.LibrarySize().fit(adata := lc.datasets.pbmc_reference()).transform(adata)
    adata = adata[adata.obs["label"].isin(("Dendritic", "CD14+ Monocyte", "CD19+ B"))]  # frequent types
    cells = np.random.default_rng(0).permutation(adata.n_obs)
    task = transformer.arrays(*(adata[part, :GENES].copy() for part in (cells[:150], cells[150:200])))
    label = np.concatenate([task.label, adata.obs["label"].astype(str).to_numpy()[cells[150:200]]])
    monkeypatch.setattr(transformer_genes, "split", lambda seed: (task, label, np.arange(200) >= 150))
    monkeypatch.setattr(transformer_genes, "split_all_genes", lambda seed: task)
    monkeypatch.setattr(transformer_genes, "variable", lambda seed, n: np.arange(n))
    monkeypatch.setattr(
        transformer_genes, "modules", lambda seed, n: np.arange(GENES).reshape(n, -1).tolist()
    )
    sets = {"small": task.genes[:3], "large": task.genes[5:20], "elsewhere": ["no such gene"]}
    monkeypatch.setattr(lc.datasets, "reactome", lambda: sets)
    monkeypatch.setattr(transformer_genes, "TRIED", 10)
    one_step = {name: (changes, {"steps": 1}) for name, (changes, _) in transformer_genes.SETTINGS.items()}
    monkeypatch.setattr(transformer_genes, "SETTINGS", one_step)
    return task


def test_each_kind_of_token_makes_a_network_that_labels_the_test_cells(task, tmp_path):
    for kind in transformer_genes.KINDS:
        n = 2 if kind in ("reactome", "shuffled") else 10
        cells, keywords = transformer_genes.tokens(kind, n, seed=0)
        probability = transformer_genes.probabilities(cells, 0, keywords, {"steps": 1})
        assert probability.shape == (50, len(task.names)), kind
        assert np.allclose(probability.sum(axis=1), 1, atol=1e-5), kind


def test_the_largest_sets_are_chosen(task):
    assert transformer_genes.largest_sets(task.genes, 1) == {"large": list(range(5, 20))}


def test_shuffled_sets_keep_sizes_and_overlaps():
    sets = [[0, 1, 2], [2, 3, 4, 5]]
    result = transformer_genes.shuffled(sets, seed=1)
    assert result != sets
    assert [len(genes) for genes in result] == [3, 4]
    assert len(set(result[0]) & set(result[1])) == 1
    assert set().union(*result) == set(range(6))


def test_regression_gets_only_what_the_tokens_hold(task):
    cells, keywords = transformer_genes.tokens("expressed", 5, seed=0)
    _, test = transformer_genes.linear_values(cells, keywords)
    values = cells.scaled(cells.test_counts)
    for row, value in zip(test, values, strict=True):
        expected = np.sort(value[value > 0])[::-1][:5]
        assert np.array_equal(np.sort(row[row > 0])[::-1], expected)
        assert np.array_equal(row[row > 0], value[row > 0])
    cells, keywords = transformer_genes.tokens("rank", 5, seed=0)
    ranks = transformer_genes.linear_values(cells, keywords)[1]
    assert set(np.unique(ranks.round(6)).tolist()) <= {
        0.0,
        *np.float32([0.2, 0.4, 0.6, 0.8, 1.0]).round(6).tolist(),
    }
    cells, keywords = transformer_genes.tokens("reactome", 2, seed=0)
    assert transformer_genes.linear_values(cells, keywords)[0].shape == (150, 18)


def test_a_cell_without_the_genes_gets_the_frequencies_of_the_names(task):
    cells, keywords = transformer_genes.tokens("variable", 10, seed=0)
    cells.test_counts[0] = 0
    probability = transformer_genes.probabilities(cells, 0, keywords, {"steps": 1})
    assert np.allclose(probability[0], [np.mean(task.label == name) for name in task.names])
    assert not np.allclose(probability[1], probability[0])


def test_the_setting_with_the_best_mean_over_seeds_is_chosen():
    scores = {0: (0.5, 0.1), 1: (0.2, 0.3), 2: (0.4, 0.4), 3: (0.1, 0.6)}

    def ask(item):
        setting, seed = item.split(":")[2:]
        return {"macro_f1": scores[int(setting)][int(seed)]}

    assert transformer_genes.choose("rank", ask) == 2


def test_validation_cells_are_training_cells_that_the_network_is_not_trained_on(task, monkeypatch):
    tasks = []

    def probabilities(cells, *arguments):
        tasks.append(cells)
        return np.ones((len(cells.test_counts), len(cells.names)))

    monkeypatch.setattr(transformer_genes, "probabilities", probabilities)
    transformer_genes.validation("rank", 0, 0, None)
    inside, outside = ({row.tobytes() for row in cells} for cells in (tasks[0].counts, tasks[0].test_counts))
    assert not inside & outside
    assert inside | outside == {row.tobytes() for row in task.counts}


def test_the_result_of_a_work_item_is_not_computed_again(task, tmp_path, monkeypatch):
    first = transformer_genes.result(tmp_path, "logistic:variable:10:0")
    assert 0 < first["macro_f1"] <= 1
    monkeypatch.setitem(transformer_genes.WORK, "logistic", None)
    assert transformer_genes.result(tmp_path, "logistic:variable:10:0") == first


def test_work_items_are_distinct_and_of_known_kinds():
    items = [item for what in transformer_genes.WORK for item in transformer_genes.items(what)]
    assert len(items) == len(set(items))
    assert {item.split(":")[1] for item in items} == set(transformer_genes.KINDS)


def test_the_formula_is_that_of_chapter_9():
    assert transformer_genes.flops(1, 1, 1) == 8 + 4 + 4
    assert transformer_genes.flops(20, 3, 5) == 8 * 20 * 9 + 4 * 20 * 3 * 5 + 4 * 400 * 3


def test_a_function_runs_in_a_fresh_process():
    assert run_alone(np.linalg.norm, np.array([3.0, 4.0]))[0] == 5
    assert run_alone(np.sum, np.ones((2, 3)), 0)[0].tolist() == [2, 2, 2]
    small, large = (run_alone(np.tile, np.zeros(n), 2)[1] for n in (10, 10_000_000))
    assert large > small + 100
