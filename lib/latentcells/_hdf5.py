"""How large is what an HDF5 file holds? Asked before any of it is read."""

LIMIT = 2**30  # bytes: ten times the largest file of the course, and no more than a laptop has to spare


def declared_bytes(file) -> int:
    """The bytes of all data sets of an open HDF5 file, once they are read.

    A data set says how large it is. That may be terabytes in a file of a kilobyte, for what was never written takes
    no place, and zeros are compressed a thousandfold.
    """
    sizes = []
    file.visititems(lambda name, item: sizes.append(getattr(item, "nbytes", 0)))  # a group has none
    return sum(sizes)
