"""The trunk of a gene Transformer: from counts to z, by tokens and blocks."""

import keras
from keras import ops

from latentcells.layers import (
    CellToken,
    ExpressionEmbedding,
    GeneSetTokens,
    GeneTokens,
    TokenPooling,
    TransformerBlock,
)  # fmt: skip
from latentcells.models._embedding_model import log_share

HIGH = {"rank": 1.0, "all": 8.0, "expressed": 8.0}  # the last knot of the values: a share, or log1p


def trunk(
    n_genes, tokens, n_tokens, sets, dim, n_heads, depth, values, pooling, target_sum, blocks, seeds
):  # fmt: skip
    """Two functional models that share their layers; the arguments are those of `GeneTransformer`.

    Args:
        blocks: ``dropout``, ``drop_path`` and ``zero_start`` of the blocks, a dictionary.
        seeds: an iterator over whole numbers.

    Returns:
        counts (cells, genes) -> z (cells, dim), and counts -> ``attention``, a list of (cells, heads, T, T), one a
        block, ``mask`` (cells, T), and ``gene`` (cells, T) where tokens are genes. With a token for the cell, T is
        one more for ``attention`` and ``mask``.
    """
    counts = keras.Input((n_genes,), name="counts")
    log1p = log_share(counts, target_sum)
    maps = {}
    if tokens == "sets":
        t = GeneSetTokens(sets, dim, seed=next(seeds), name="tokens")(log1p)
        mask = ops.ones_like(t[..., 0], dtype="bool")
    else:
        chosen = GeneTokens(tokens, n_tokens, name="tokens")(log1p)
        start = keras.initializers.RandomNormal(stddev=0.02, seed=next(seeds))
        genes = keras.layers.Embedding(n_genes, dim, embeddings_initializer=start, name="genes")
        embed = ExpressionEmbedding(dim, values, high=HIGH[tokens], seed=next(seeds), name="values")
        t, mask, maps["gene"] = genes(chosen["gene"]) + embed(chosen["value"]), chosen["mask"], chosen["gene"]
    if pooling == "cls":
        t, mask = CellToken(next(seeds), name="cell")(t, mask)
    maps |= {"mask": mask, "attention": []}
    for i in range(depth):
        block = TransformerBlock(dim, n_heads, **blocks, seed=next(seeds), name=f"block_{i}")
        t, attention = block(t, padding_mask=mask, return_attention=True)
        maps["attention"].append(attention)
    z = TokenPooling(pooling, name="pooling", dtype="float32")(t, padding_mask=mask)
    z = keras.layers.LayerNormalization(name="norm", dtype="float32")(z)
    return keras.Model(counts, z, name="trunk"), keras.Model(counts, maps, name="maps")
