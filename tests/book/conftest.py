from tests.served_site import address, built, chromium, site, visit

__all__ = ["address", "built", "chromium", "site", "visit"]
