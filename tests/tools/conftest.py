from tests.served_site import address, built, chromium, visit

__all__ = ["address", "built", "chromium", "visit"]
