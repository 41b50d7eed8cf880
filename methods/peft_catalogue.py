"""What is known about peft's types beforehand: formula, paper, and sizes that make them comparable.

Unless said otherwise they wrap the query and value projections of every attention, as LoRA does in VL-Adapter's code:
W is such a projection's frozen weight, x its input, y its output, b its bias, d its width. Sizes aim at LoRA's share of
trained parameters, or are the papers' own where a method is meant to be smaller. What peft draws from a seed of its own
(the shared projections of VeRA, the places of FourierFT, ...) is the same in every run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Size:
    """A hyper-parameter that is passed on to peft."""

    option: str  # the field of peft's configuration
    default: float
    mini: float  # on the embedded backbone
    description: str
    bounds: Mapping[str, Any]


@dataclass(frozen=True)
class Known:
    """One method."""

    title: str
    formula: str
    paper: str  # its key in ``peft_papers.yaml``; empty: there is none
    sizes: Mapping[str, Size] = field(default_factory=dict)  # by hyper-parameter
    settings: Mapping[str, Any] = field(default_factory=dict)  # of peft's configuration, fixed
    targets: str = "q v"
    rate: float = 1e-3  # other rates are those of the papers or of peft's documentation
    usual: bool = False
    variant_of: str = ""  # the type, where the method is not called by its type's name
    library: str = ""  # that it needs besides peft, as pip calls it


def whole(option: str, default: int, mini: int, description: str) -> Size:
    """A number of things, at least one."""
    return Size(option, default, mini, description, MappingProxyType({"ge": 1}))


def positive(option: str, default: float, mini: float, description: str) -> Size:
    """A number above zero."""
    return Size(option, default, mini, description, MappingProxyType({"gt": 0}))


def share(option: str, default: float, mini: float, description: str) -> Size:
    """A number from 0 to less than 1."""
    return Size(option, default, mini, description, MappingProxyType({"ge": 0, "lt": 1}))


def rank(option: str = "r", default: int = 128, mini: int = 16) -> Size:
    """The size of most types."""
    return whole(option, default, mini, "rank of the change of each weight")


ALPHA = "the change is scaled by alpha / rank"
DROPOUT = share("lora_dropout", 0.1, 0.1, "on the input of A, while training")
LORA_SIZES = {"rank": rank(), "alpha": positive("lora_alpha", 32.0, 4.0, ALPHA), "dropout": DROPOUT}
# Started at a part of the weight itself: a scale of one, and no dropout, which would drop that part too.
STARTED_SIZES = {"rank": rank(), "alpha": positive("lora_alpha", 128.0, 16.0, ALPHA)}

KNOWN: Mapping[str, Known] = {
    "lora": Known(
        "LoRA (peft)",
        "y = W x + (α / r) B A dropout(x); A random, B zero.",
        "hu2022lora",
        LORA_SIZES,
        usual=True,
    ),
    "dora": Known(
        "DoRA",
        "y = m ⊙ (W + (α / r) B A) x / ‖W + (α / r) B A‖ + b, norms per output; m starts at those of W.",
        "liu2024dora",
        LORA_SIZES,
        {"use_dora": True},
        usual=True,
        variant_of="lora",
    ),
    "rslora": Known(
        "Rank-stabilised LoRA",
        "y = W x + (α / √r) B A dropout(x).",
        "kalajdzievski2023rslora",
        LORA_SIZES | {"alpha": positive("lora_alpha", 32.0, 4.0, "the change is scaled by alpha / √rank")},
        {"use_rslora": True},
        variant_of="lora",
    ),
    "pissa": Known(
        "PiSSA",
        "LoRA, with B A started at the r largest singular directions of W; the frozen weight is what is left of W.",
        "meng2024pissa",
        STARTED_SIZES,
        {"init_lora_weights": "pissa"},
        usual=True,
        variant_of="lora",
    ),
    "olora": Known(
        "OLoRA",
        "LoRA, with B A started at r columns Q and rows R of W = Q R; the frozen weight is what is left of W.",
        "buyukakyuz2024olora",
        STARTED_SIZES,
        {"init_lora_weights": "olora"},
        variant_of="lora",
    ),
    "adalora": Known(
        "AdaLoRA",
        "y = W x + (α / r₀) B Λ A dropout(x), Λ diagonal and zero at first. After the share `warm_up` of the steps and "
        "until the share `settle` is left, every `interval` steps the least important directions of all layers are set "
        "to zero, so that in the end `rank` of `initial_rank` are left on average. The loss gains `orthogonality` · "
        "the mean of ‖A Aᵀ - I‖ and ‖Bᵀ B - I‖ (Frobenius) over all layers.",
        "zhang2023adalora",
        {
            "rank": whole("target_r", 80, 10, "average rank that is left in the end"),
            "initial_rank": whole("init_r", 120, 15, "rank of each weight's change at first"),
            "alpha": positive("lora_alpha", 32.0, 4.0, "the change is scaled by alpha / initial rank"),
            "dropout": DROPOUT,
            "interval": whole("deltaT", 10, 10, "steps from one choice of directions to the next"),
        },
        {"total_step": 1},  # known when training starts
        usual=True,
    ),
    "adamss": Known(
        "AdaMSS",
        "y = W x + [B₁ A₁; …; B_K A_K] P x: rows of W in K clusters, P from W's first r singular directions.",
        "zheng2025adamss",
        {
            "rank": rank("subspace_rank", 8, 2),
            "directions": whole("r", 96, 16, "singular directions of the weight that are kept, r"),
            "subspaces": whole("num_subspaces", 5, 4, "clusters of rows, K"),
        },
        library="scikit-learn",
    ),
    "beft": Known(
        "BEFT",
        "y = W x + b + δ on value projections; δ of width d starts at zero. Gives T5 biases that it does not have.",
        "beft2025",
        targets="v",
    ),
    "boft": Known(
        "BOFT",
        "y = s ⊙ (W R x) + b, R of d / m orthogonal blocks of m × m (Cayley's map); s starts at one. Of the paper's "
        "butterfly factors peft computes more than this one only with a CUDA extension, which not every machine has.",
        "liu2024boft",
        {"block_size": whole("boft_block_size", 32, 16, "rows of a block, m; divides the input's width")},
        {"boft_n_butterfly_factor": 1},
        usual=True,
    ),
    "c3a": Known(
        "C3A",
        "y = W x + C x / d, C of circulant blocks of m × m, which a Fourier transform applies. Starts at random.",
        "chen2024c3a",
        {"block_size": whole("block_size", 32, 8, "rows of a block, m; divides all widths")},
        rate=0.1,
    ),
    "deft": Known(
        "DEFT",
        "y = (I - P relu(P)ᵀ) W x + P R x + b; R starts where y does not change.",
        "kumar2025deft",
        {"rank": rank()},
    ),
    "delora": Known(
        "DeLoRA",
        "y = W x + (λ / r) B Ξ A (w ⊙ x), Ξ = diag(1 / (‖aᵢ‖ ‖bᵢ‖)), w the norms of W's columns; λ trains too.",
        "bini2025delora",
        {"rank": rank(), "strength": positive("delora_lambda", 15.0, 15.0, "where λ starts")},
    ),
    "fourierft": Known(
        "FourierFT",
        "y = W x + α Re(IDFT(F)) x, F zero but for n random places, whose coefficients start at random.",
        "gao2024fourierft",
        {
            "frequencies": whole("n_frequency", 1000, 500, "coefficients per weight, n"),
            "scale": positive(
                "scaling", 150.0, 6.0, "factor of the change, α; its effect falls with the weight's size"
            ),
        },
        rate=0.05,
        usual=True,
    ),
    "frod": Known(
        "FRoD",
        "y = U (Λ + S) Vᵀ x + b, which is W x + b at first: V shared by the layers of a role, U fixed, Λ diagonal and "
        "S sparse, off the diagonal, trained. peft takes encoder and decoder layers of one number for one layer, so V "
        "comes from the decoder's where both have the role.",
        "frod2026",
        {"share": share("sparse_rate", 0.01, 0.05, "share of S that trains")},
        {"progressbar": False},
    ),
    "glora": Known(
        "GLoRA",
        "y = (W + W ⊙ A + B) x + b + b d + e + W c; A and B of rank r, c a product of two factors, d and e numbers.",
        "chavan2023glora",
        {"rank": rank(default=64, mini=8)},
    ),
    "gralora": Known(
        "GraLoRA",
        "y = W x + (α / r) Δ x, Δ of k × k blocks, each a product of rank r / k.",
        "jung2025gralora",
        {
            "rank": rank(),
            "blocks": whole("gralora_k", 4, 2, "blocks per row and column, k; divides rank and all widths"),
            "alpha": whole("alpha", 256, 32, ALPHA),
        },
    ),
    "hira": Known(
        "HiRA",
        "y = (W + W ⊙ B A) x + b; A random, B zero.",
        "huang2025hira",
        {"rank": rank()},
    ),
    "hra": Known(
        "HRA",
        "y = W ∏ᵢ (I - 2 uᵢ uᵢᵀ / ‖uᵢ‖²) x + b, r reflections that start as pairs of equal ones.",
        "yuan2024hra",
        {"rank": whole("r", 32, 8, "reflections, an even number")},
    ),
    "ia3": Known(
        "(IA)³",
        "y = l ⊙ (W x + b) on key and value projections, W (l ⊙ x) + b on the second feed-forward layer; l is one at "
        "first.",
        "liu2022ia3",
        targets="k v down",
        rate=3e-3,
        usual=True,
    ),
    "lily": Known(
        "Lily",
        "y = W x + (Σᵢ pᵢ Bᵢ) A x, the Bᵢ shared by the layers of a role; p is the softmax of a linear map of A x, "
        "averaged over all positions of the batch.",
        "zhong2024lily",
        {"rank": rank(default=256, mini=32)},
    ),
    "ln_tuning": Known(
        "Layer norm tuning",
        "Copies of all normalisation layers train in their place.",
        "zhao2024tuning",
        targets="",
        usual=True,
    ),
    "loha": Known(
        "LoHa",
        "y = W x + (α / r) ((B₁ A₁) ⊙ (B₂ A₂)) x.",
        "hyeonwoo2022fedpara",
        {"rank": rank(default=64, mini=8), "alpha": whole("alpha", 64, 8, ALPHA)},
        usual=True,
    ),
    "lokr": Known(
        "LoKr",
        "y = W x + (α / r) (C ⊗ (B A)) x, C of f × f; C zero.",
        "yeh2024lycoris",
        {
            "rank": rank(default=64, mini=8),
            "alpha": whole("alpha", 64, 8, ALPHA),
            "factor": whole("decompose_factor", 4, 2, "rows of C, f"),
        },
        usual=True,
    ),
    "miss": Known(
        "MiSS",
        "y = W x + Dᵀ Σⱼ xⱼ, xⱼ the pieces of x of size r; D zero. Formerly called Bone.",
        "kang2024miss",
        {"rank": whole("r", 256, 32, "size of a piece of the input")},
    ),
    "oft": Known(
        "OFT",
        "y = W R x + b, R of d / m orthogonal blocks of m × m (Cayley's map as a sum of five terms).",
        "qiu2023oft",
        {"block_size": whole("oft_block_size", 32, 16, "rows of a block, m; divides the input's width")},
        usual=True,
    ),
    "osf": Known(
        "OSF",
        "W = Uₕ Σₕ Vₕ + Uₗ Σₗ Vₗ by singular values: the larger ones' directions stay, the smaller ones' train, their "
        "gradients made orthogonal to those that stay.",
        "nayak2025osf",
        {"kept": share("effective_rank", 0.875, 0.875, "share of the singular directions that stays")},
        rate=1e-4,
    ),
    "peanut": Known(
        "PEANuT",
        "y = W x + (relu(Wᵀ A) B)ᵀ x; B zero.",
        "zhong2024peanut",
        {"rank": rank()},
    ),
    "poly": Known(
        "Poly",
        "y = W x + (Σₛ pₛ Bₛ) (Σₛ pₛ Aₛ) x / r: S skills, mixed by the task's own p, the sigmoids of S numbers divided "
        "by their sum; while training they are drawn from relaxed Bernoulli distributions.",
        "ponti2023poly",
        {"rank": rank(default=32, mini=4), "skills": whole("n_skills", 4, 4, "pairs of matrices that are mixed, S")},
    ),
    "psoft": Known(
        "PSOFT",
        "y = W x + A (R - I) B x, A B the r largest singular directions of W, R = diag(α) Q diag(β) with Q orthogonal.",
        "wu2026psoft",
        {"rank": rank(), "alpha": whole("psoft_alpha", 128, 16, ALPHA)},
    ),
    "pvera": Known(
        "PVeRA",
        "y = W x + λ ⊙ B (μ + σ ε), [μ; log σ²] = δ ⊙ (A x), ε normal while training and zero after; A, B as in VeRA. "
        "Without the paper's loss on the distribution, which peft leaves out.",
        "pvera2025",
        {"rank": rank(default=256, mini=32)},
        rate=4e-3,
    ),
    "randlora": Known(
        "RandLoRA",
        "y = W x + (α / r) Σᵢ Bᵢ Λᵢ Aᵢ Γᵢ x over d / r fixed pairs, shared by all layers; Λᵢ and Γᵢ, diagonal, train.",
        "albert2025randlora",
        {
            "rank": whole("r", 32, 8, "rank of each pair: the smaller, the more numbers train"),
            "alpha": whole("randlora_alpha", 640, 160, ALPHA),
        },
    ),
    "road": Known(
        "RoAd",
        "y = R (W x + b), R of 2 × 2 rotations with a scale, the same for both outputs of a pair.",
        "liao2024road",
        {"group_size": whole("group_size", 64, 8, "outputs of which the first half is paired with the second")},
    ),
    "shira": Known(
        "SHiRA",
        "y = (W + S) x + b, S zero but for 2 r d random places, the same in all layers of a shape.",
        "bhardwaj2024shira",
        {"rank": whole("r", 128, 16, "r of a LoRA with as many trained numbers")},
        {"random_seed": 0},
    ),
    "supertuning": Known(
        "Super-Tuning",
        "y = (W + S) x + b, S zero but for the places of the largest entries of W.",
        "supertuning2026",
        {"sparsity": share("sparsity", 0.9, 0.75, "share of S that stays zero")},
    ),
    "tinylora": Known(
        "TinyLoRA",
        "y = W x + U Σ (Σᵢ vᵢ Pᵢ) V x, U Σ V the r largest singular directions of W, Pᵢ fixed; u numbers v per layer.",
        "tinylora2026",
        {"numbers": whole("u", 64, 64, "trained numbers per layer, u"), "rank": rank(default=2, mini=2)},
    ),
    "trainable_tokens": Known(
        "Trainable tokens",
        "The first rows of the token table train, the more frequent tokens, in embeddings and the tied output head.",
        "",
        {"tokens": whole("token_indices", 1000, 500, "rows that train, at most half of the table")},
        targets="",
    ),
    "unilora": Known(
        "Uni-LoRA",
        "LoRA of rank r, of whose matrices every entry is one of one trained vector for all layers, scaled, at random.",
        "li2025unilora",
        {"length": whole("theta_d_length", 23040, 512, "numbers of the vector"), "rank": rank(default=4, mini=4)},
    ),
    "vblora": Known(
        "VB-LoRA",
        "LoRA of rank r, of whose matrices every piece is Σ softmax(l)ₖ vₖ over the two largest logits l; vectors v "
        "shared by all layers.",
        "li2024vblora",
        {
            "vectors": whole("num_vectors", 256, 64, "vectors v"),
            "length": whole("vector_length", 256, 16, "numbers of a vector; divides all widths"),
            "rank": rank(default=4, mini=4),
        },
    ),
    "vera": Known(
        "VeRA",
        "y = W x + λ ⊙ B (δ ⊙ (A x)), A and B random, frozen and shared by all layers; λ zero at first.",
        "kopiczko2024vera",
        {"rank": rank(default=256, mini=32)},
        rate=4e-3,
        usual=True,
    ),
    "waveft": Known(
        "WaveFT",
        "y = W x + α IDWT(F) x (Haar wavelets), F zero but for n random places, whose coefficients start at zero.",
        "bilican2025waveft",
        {
            "frequencies": whole("n_frequency", 2592, 500, "coefficients per weight, n"),
            "scale": positive("scaling", 25.0, 25.0, "factor of the change, α"),
        },
    ),
}
