"""From genes and sets of genes to tokens, and from tokens to a cell."""
