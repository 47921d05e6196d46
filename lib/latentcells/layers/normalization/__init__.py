"""Batch, layer, group and domain-specific batch normalisation."""
