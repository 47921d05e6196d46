"""The classroom: exercise masters, the editions made of them, and the grading of a class."""
