"""What the two mixture experiments share: how one plate is read, how plates are joined."""

import numpy as np
import pandas as pd

from latentcells.datasets._fetch import fetch
from latentcells.datasets._registry import Source


def read_plates(plates: dict[str, tuple[Source, Source]]) -> tuple[np.ndarray, pd.DataFrame, pd.Index]:
    """Read plates and keep the genes that all of them have.

    Args:
        plates: name -> the sources of its counts and its metadata.

    Returns:
        Counts (cells, genes); the metadata with a column ``plate``, indexed by "plate_well"; and the
        Ensembl ids, sorted. ERCC spike-ins are not genes and are dropped.
    """
    counts = {name: pd.read_csv(fetch(source)) for name, (source, _) in plates.items()}
    metadata = {name: pd.read_csv(fetch(source)) for name, (_, source) in plates.items()}
    ids = sorted(set.intersection(*(set(table.index) for table in counts.values())))
    ids = pd.Index(ids)[pd.Index(ids).str.startswith("ENSG")]
    obs = pd.concat(_cells(name, metadata[name].loc[table.columns]) for name, table in counts.items())
    return np.concatenate([table.loc[ids].to_numpy().T for table in counts.values()]), obs, ids


def _cells(plate: str, metadata: pd.DataFrame) -> pd.DataFrame:
    return metadata.assign(plate=plate).set_axis([f"{plate}_{well}" for well in metadata.index])
