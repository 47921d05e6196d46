"""Settings that every test shares."""

import hypothesis

# No deadline: the first call of a compiled function is slow. The same examples in every run: a red test stays red.
hypothesis.settings.register_profile("latentcells", deadline=None, derandomize=True)
hypothesis.settings.load_profile("latentcells")
