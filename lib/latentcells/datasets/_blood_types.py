"""What the blood cells of four studies are called, in common words."""

_REFERENCE = {
    "CD19+ B": "B",
    "CD14+ Monocyte": "monocyte",
    "CD34+": "progenitor",
    "CD56+ NK": "NK",
    "CD8+ Cytotoxic T": "CD8 T",
    "CD8+/CD45RA+ Naive Cytotoxic": "CD8 T",
    "CD4+/CD25 T Reg": "CD4 T",
    "CD4+/CD45RA+/CD25- Naive T": "CD4 T",
    "CD4+/CD45RO+ Memory": "CD4 T",
}

BLOOD_TYPES = {
    "pbmc_facs": {**_REFERENCE, "CD4+ T Helper2": "CD4 T"},
    "pbmc_reference": {**_REFERENCE, "Dendritic": "dendritic"},
    "pbmc3k": {
        "B cells": "B",
        "CD14+ Monocytes": "monocyte",
        "FCGR3A+ Monocytes": "monocyte",
        "NK cells": "NK",
        "CD8 T cells": "CD8 T",
        "CD4 T cells": "CD4 T",
        "Dendritic cells": "dendritic",
        "Megakaryocytes": "megakaryocyte",
    },
    "kang": {
        "B": "B",
        "B Activated": "B",
        "CD14 Mono": "monocyte",
        "CD16 Mono": "monocyte",
        "NK": "NK",
        "CD8 T": "CD8 T",
        "CD4 Memory T": "CD4 T",
        "CD4 Naive T": "CD4 T",
        "T activated": "T, CD4 or CD8",
        "DC": "dendritic",
        "pDC": "dendritic",
        "Mk": "megakaryocyte",
        "Eryth": "erythrocyte",
    },
}
