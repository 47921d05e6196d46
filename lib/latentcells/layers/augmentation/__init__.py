"""Augmentations of counts."""
