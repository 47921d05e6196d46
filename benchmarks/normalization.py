"""Chapter 2: normalisation layers beside each other, five seeds each, and the batch sizes they bear."""
