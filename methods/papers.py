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
