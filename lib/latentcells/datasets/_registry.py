"""Where every raw file comes from: the commit it is pinned to, its SHA-256, licence and paper."""

from dataclasses import dataclass

HOST = "https://raw.githubusercontent.com"


@dataclass(frozen=True)
class Paper:
    """A citation as the book prints it, and its DOI."""

    citation: str
    doi: str


@dataclass(frozen=True)
class Source:
    """One raw file, pinned.

    ``file`` is its name in the cache folder; ``repo``, ``commit`` and ``path`` are its place on GitHub.
    A file that is elsewhere has a ``host`` and no commit: its hash alone pins it. ``size`` is the most
    bytes that a download may bring, ``sha256`` what it must have. ``rebuilt`` are the SHA-256 of files with
    the same cells, genes, counts and labels: one that lies in the cache folder serves as well.
    """

    file: str
    repo: str
    commit: str | None
    path: str
    size: int
    sha256: str
    licence: str
    paper: Paper
    host: str | None = None
    rebuilt: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return "/".join(filter(None, (self.host or HOST, self.repo, self.commit, self.path)))


ZHENG = Paper(
    "Zheng GXY, Terry JM, Belgrader P, et al. Massively parallel digital transcriptional profiling of "
    "single cells. Nature Communications 8, 14049 (2017)",
    "10.1038/ncomms14049",
)
TIAN = Paper(
    "Tian L, Dong X, Freytag S, et al. Benchmarking single cell RNA-sequencing analysis pipelines using "
    "mixture control experiments. Nature Methods 16, 479–487 (2019)",
    "10.1038/s41592-019-0425-8",
)
KANG = Paper(
    "Kang HM, Subramaniam M, Targ S, et al. Multiplexed droplet single-cell RNA-sequencing using natural "
    "genetic variation. Nature Biotechnology 36, 89–94 (2018)",
    "10.1038/nbt.4042",
)
CHEN = Paper(
    "Chen J, Xu H, Tao W, et al. Transformer for one stop interpretable cell type annotation. "
    "Nature Communications 14, 223 (2023)",
    "10.1038/s41467-023-35923-4",
)

PBMC3K_RAW = Source(
    file="pbmc3k_raw.h5ad",
    repo="scanpy",
    commit=None,
    path="pbmc3k_raw.h5ad",
    size=5_855_727,
    sha256="89a96f1beaa2dd83a687666d3f19a4513ac27a2a2d12581fcd77afed7ea653a1",
    licence="CC BY 4.0 (10x Genomics)",
    paper=ZHENG,
    host="https://exampledata.scverse.org",
    rebuilt=("bb5a6de3f8d999357182830b31cc15b72083b1f9e0ecc06e29767496b2a637da",),  # 13,714 genes of 32,738
)
PBMC3K_PROCESSED = Source(
    file="pbmc3k_processed.h5ad",
    repo="chanzuckerberg/cellxgene",
    commit="68dfbcc2eb675e96c6a5e2a6b7a0d3465ccf46bc",
    path="example-dataset/pbmc3k.h5ad",
    size=25_000_000,  # it has about 24.6 million
    sha256="0db367b991dd95809732b218539ede489bea99113807f62ebd7ccc970025fe38",
    licence="CC BY 4.0 (10x Genomics)",
    paper=ZHENG,
    rebuilt=("9aa92da24cf027cf7527b8d287fe8fe4b729b5913173ab6d0a239a82c753e2b4",),  # by scanpy's tutorial
)
PBMC_FACS = Source(
    file="pbmc_facs.RData",
    repo="stephenslab/fastTopics",
    commit="8406f5f4de379e7ff8b43ecfee93cca42a8e7a57",
    path="data/pbmc_facs.RData",
    size=3_726_660,
    sha256="90ae0879b8c7ba4d456f9a0d1be964213b0dda6788a7b05b48d867b9f76f2946",
    licence="BSD-2-Clause",
    paper=ZHENG,
)
IFNB = Source(
    file="ifnb_2800.rda",
    repo="Wang-Cankun/iris3api",
    commit="ec6b742f9f42dc4f1a40a392ddfe8d3610ab9e63",
    path="data/ifnb_2800.rda",
    size=2_228_941,
    sha256="e81d90bac3f120583b171655412c3866bb6ac9ca73c219e7ffa584be9b709c6f",
    licence="MIT",
    paper=KANG,
)
REACTOME = Source(
    file="reactome.gmt",
    repo="JackieHanLab/TOSICA",
    commit="0aa2b32f7a413105165298baeb414db332390776",
    path="TOSICA/resources/reactome.gmt",
    size=330_737,
    sha256="3168f672fca6eabf5d21d99181b87fd8c4304866acd0930712a61e9140c7b4ae",
    licence="MIT",
    paper=CHEN,
)


def _plate(stem: str, counts: tuple[int, str], metadata: tuple[int, str]) -> tuple[Source, Source]:
    """The two files of one sc_mixology plate, each by size and hash: its count matrix and its metadata."""
    return tuple(
        Source(
            file=f"sc_mixology/{stem}.{kind}.csv.gz",
            repo="LuyiTian/sc_mixology",
            commit="7d00ffb0bd043467f365a9358d7312f294f13c9f",
            path=f"data/csv/{stem}.{kind}.csv.gz",
            size=size,
            sha256=sha256,
            licence="MIT",
            paper=TIAN,
        )
        for kind, (size, sha256) in (("count", counts), ("metadata", metadata))
    )


CELL_MIXTURE = {
    "celseq2": _plate(
        "sc_celseq2",
        (2_089_195, "a82aa89b8995aed412f4260c0adb343967e33a801af6f2e0aa647c1d897a5a21"),
        (15_903, "78429916bac394d92d8c972059a8f195c5479ce578da04f1eb3ba599585ef3d9"),
    ),
    "dropseq": _plate(
        "sc_dropseq",
        (1_299_691, "98c0bb6a9fbf4b93967ef82cef9985d7691cf59a31dc5b0b3699f70ed1a0fd08"),
        (10_611, "4c48f3e13778e89192d9861095bc102cc0deb9eba1a7f47a093f5a058ce1aa6a"),
    ),
    "celseq2_5cl_p1": _plate(
        "sc_celseq2_5cl_p1",
        (1_846_196, "577324d2fd427685144420536489202c68ae98cb22f5825c40c8cf41c5fe0a07"),
        (17_651, "a6f5b206f891113162d2c9af27860c187a04ccd8848f9bc29be97dfa95eeadc4"),
    ),
    "celseq2_5cl_p2": _plate(
        "sc_celseq2_5cl_p2",
        (1_655_842, "c6ef3df82d9fa44598ee15d8a07113c44a830ee3d2e3205c93590d594240bab5"),
        (17_861, "06d2f3b9fd646b4a3c1e6d1af7205c7eec1017bfab9a4c68853f9a3fc97be836"),
    ),
    "celseq2_5cl_p3": _plate(
        "sc_celseq2_5cl_p3",
        (1_449_564, "e535abac653a5a3ee44eff88345db2315693732f679156ab20ee924b21bced9a"),
        (17_656, "c373869c9d3bbca9dc7773a8b8ef65e6035c939d45b18cb410fede526770eadb"),
    ),
}
RNA_MIXTURE = {
    "CEL-seq2": _plate(
        "RNAmix_celseq2",
        (2_130_546, "3bc1323f10f74779e69f068cbfd052633049745f69107bba4133368a01ec24b9"),
        (21_123, "b4dfd97335bb24691d22b16748410d42ea08c7dee634d2d9d2584ef2d9e60956"),
    ),
    "SORT-seq": _plate(
        "RNAmix_sortseq",
        (1_902_439, "81a2c15fc0fc1216328fa348ad3375b0b2faa604fce9811330b78a190cdfd3d0"),
        (18_852, "1ea8edd24736c3efdf7dec102e42b01b75df18a811084cfcfd2ea5c87b89fead"),
    ),
}
