"""Papers that several methods come from."""

from methods.base import Paper


def vl_adapter(section: str) -> Paper:
    """VL-Adapter (CVPR 2022), with the place in it where the method stands."""
    return Paper(
        key="sung2022vladapter",
        title="VL-Adapter: Parameter-Efficient Transfer Learning for Vision-and-Language Tasks",
        url="https://arxiv.org/abs/2112.06825",
        year=2022,
        section=section,
    )


def vl_pet(section: str) -> Paper:
    """VL-PET (ICCV 2023), with the place in it where the method stands."""
    return Paper(
        key="hu2023vlpet",
        title="VL-PET: Vision-and-Language Parameter-Efficient Tuning via Granularity Control",
        url="https://arxiv.org/abs/2308.09804",
        year=2023,
        section=section,
    )


def compacter(section: str) -> Paper:
    """Compacter (NeurIPS 2021), with the place in it where the method stands."""
    return Paper(
        key="mahabadi2021compacter",
        title="Compacter: Efficient Low-Rank Hypercomplex Adapter Layers",
        url="https://arxiv.org/abs/2106.04647",
        year=2021,
        section=section,
    )


def lst(section: str) -> Paper:
    """Ladder Side-Tuning (NeurIPS 2022), with the place in it where the method stands."""
    return Paper(
        key="sung2022lst",
        title="LST: Ladder Side-Tuning for Parameter and Memory Efficient Transfer Learning",
        url="https://arxiv.org/abs/2206.06522",
        year=2022,
        section=section,
    )
