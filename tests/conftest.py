"""Settings that every test shares."""

import hypothesis

from tests.book import rules

# No deadline: the first call of a compiled function is slow. The same examples in every run: a red test stays red.
hypothesis.settings.register_profile("latentcells", deadline=None, derandomize=True)
hypothesis.settings.load_profile("latentcells")


def pytest_report_header():
    if rules.chromium() is None:
        return rules.NO_CHROMIUM
