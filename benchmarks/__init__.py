"""What `make results` and `make bench` run: trainings over several seeds, and comparisons with other tools."""
