"""The classroom: exercise masters, the editions made from them, and the grading of a class."""
