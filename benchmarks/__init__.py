"""What `make results` and `make bench` run: trainings over several seeds, and side-by-side runs against other tools."""
