"""Grid files: what they expand to, and how they are refused."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from fake_catalogue import FakeCatalogue, write

from harness.catalogue import Catalogue
from harness.cells import Cell
from harness.errors import NothingMatched, UserError
from harness.expand import Choice, expand, matching_methods
from harness.grid import built_in, load_grid
from harness.plugins import find_methods

HEAD = "name: mine\nblocks:\n"
BLOCK = "  - {suites: scenes, backbones: small, methods: [adapter]}\n"


def cells(folder: Path, text: str, choice: Choice = Choice()) -> list[Cell]:
    return expand(load_grid(write(folder, text)), FakeCatalogue(), choice)


def refusal(folder: Path, text: str, choice: Choice = Choice()) -> list[str]:
    with pytest.raises(UserError) as caught:
        cells(folder, text, choice)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(str(folder) + "/", "").splitlines()


def test_a_block_is_a_product_and_globs_and_all_stand_for_names(tmp_path: Path) -> None:
    text = HEAD + "  - {suites: all, backbones: 's*', methods: [lora, '*e*'], seeds: [1, 2]}\n"
    found = [(c.suite, c.backbone, c.method, c.seed) for c in cells(tmp_path, text)]
    methods = ["lora", "adapter", "everything"]
    assert found == [(s, "small", m, n) for s in ("scenes", "photos") for m in methods for n in (1, 2)]


def test_a_cell_is_resolved_to_plain_data(tmp_path: Path) -> None:
    text = HEAD + BLOCK.replace("[adapter]", "[{method: lora, rank: 8}]").replace("}\n", ", settings: {epochs: 3}}\n")
    (cell,) = cells(tmp_path, text)
    assert cell.parameters == {"learning_rate": 1e-3, "width": 96, "rank": 8}  # 96 is BART's own default
    assert cell.overrides == {"rank": 8}
    assert cell.settings.epochs == 3
    assert cell.versions == {"method": "3", "scenes": "1", "scenes/metric": "m2"}
    assert cell.data == {"scenes": "data of scenes", "backbone": "weights of small"}


def test_absent_data_has_no_fingerprint(tmp_path: Path) -> None:
    (cell,) = cells(tmp_path, HEAD + BLOCK.replace("scenes", "photos"))
    assert cell.data == {"backbone": "weights of small"}


def test_a_list_among_a_methods_values_makes_one_cell_per_entry(tmp_path: Path) -> None:
    entry = "{method: lora, rank: [2, 4], settings: {epochs: [1, 2]}}"
    found = cells(tmp_path, HEAD + BLOCK.replace("adapter", entry))
    pairs = [(cell.parameters["rank"], cell.settings.epochs) for cell in found]
    assert pairs == [(2, 1), (2, 2), (4, 1), (4, 2)]


def test_controls_are_further_cells(tmp_path: Path) -> None:
    text = HEAD + BLOCK.replace("}\n", ", controls: [{method: lora, control: image-blind}]}\n")
    found = [(cell.method, cell.settings.control) for cell in cells(tmp_path, text)]
    assert found == [("adapter", "none"), ("lora", "image-blind")]


def test_the_same_cell_in_two_blocks_is_one(tmp_path: Path) -> None:
    assert len(cells(tmp_path, HEAD + BLOCK + BLOCK)) == 1


def test_a_study_is_a_word_about_its_cells_which_stand_on_no_leaderboard(tmp_path: Path) -> None:
    study = BLOCK.replace("{suites", "{study: Widths, suites")
    (plain,) = cells(tmp_path, HEAD + BLOCK)
    (shown,) = cells(tmp_path, HEAD + study)
    assert (shown.studies, shown.ranked, shown.key) == (("Widths",), False, plain.key)
    other = study.replace("Widths", "Others").replace("[adapter]", "[{method: adapter, width: 96}, lora]")
    both, lora = cells(tmp_path, HEAD + other + BLOCK + study)
    assert (both.studies, both.ranked, both.overrides) == (("Others", "Widths"), True, {})
    assert (lora.studies, lora.ranked) == (("Others",), False)


def test_the_command_line_filters_and_overrides(tmp_path: Path) -> None:
    text = HEAD + "  - {suites: all, backbones: all, methods: all, seeds: [0]}\n"
    choice = Choice(
        suites=("sc*",),
        backbones=("large",),
        methods=("lora", "adapter"),
        seeds=(7, 8),
        overrides=("settings.epochs=2", "lora.rank=16", "*.width=5"),
        settings={"limit": 10},
    )
    found = cells(tmp_path, text, choice)
    assert [(c.suite, c.backbone, c.method, c.seed) for c in found] == [
        ("scenes", "large", method, seed) for method in ("adapter", "lora") for seed in (7, 8)
    ]
    assert all((c.settings.epochs, c.settings.limit, c.parameters["width"]) == (2, 10, 5) for c in found)
    assert found[-1].overrides == {"rank": 16, "width": 5}


def test_usual_leaves_the_long_tail_out(tmp_path: Path) -> None:
    text = HEAD + "  - {suites: scenes, backbones: small, methods: NAMES}\n"
    every, usual = (cells(tmp_path, text.replace("NAMES", names)) for names in ("all", "usual"))
    assert [cell.method for cell in every] == ["adapter", "everything", "lora"]
    assert [cell.method for cell in usual] == ["adapter", "lora"]
    found = cells(tmp_path, text.replace("NAMES", "all"), Choice(methods=("usual",), overrides=("usual.width=3",)))
    assert [(cell.method, cell.parameters["width"]) for cell in found] == [("adapter", 3), ("lora", 3)]


@pytest.mark.parametrize(
    ("device", "cuda", "asked", "precision"),
    [
        ("cpu", True, "auto", "float32"),
        ("auto", False, "auto", "float32"),
        ("auto", True, "auto", "bfloat16"),
        ("auto", True, "float32", "float32"),
    ],
)
def test_the_precision_in_the_key_is_the_one_that_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, cuda: bool, asked: str, precision: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: cuda)
    block = BLOCK.replace("}\n", f", settings: {{precision: {asked}}}}}\n")
    (cell,) = cells(tmp_path, HEAD + block, Choice(device=device))
    assert cell.settings.precision == precision


def test_an_impossible_device_or_precision_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (line,) = refusal(tmp_path, HEAD + BLOCK, Choice(device="abacus"))
    assert line.startswith("device 'abacus' cannot be used")
    (line,) = refusal(tmp_path, HEAD + BLOCK, Choice(device="cpu", settings={"precision": "float16"}))
    assert "float16 needs CUDA" in line


def test_filters_that_match_nothing_are_not_an_error_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(NothingMatched, match="no cell matches") as caught:
        cells(tmp_path, HEAD + BLOCK, Choice(methods=("lora",)))
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(suites=("scense",)), "--suites: unknown suite 'scense'; did you mean 'scenes'?"),
        (Choice(backbones=("smal",)), "--backbones: unknown backbone 'smal'; did you mean 'small'?"),
        (Choice(methods=("adaptor",)), "--methods: unknown method 'adaptor'; did you mean 'adapter'?"),
        (Choice(overrides=("epochs=2",)), "--set epochs=2: write it as settings.epochs=2 or lora-single.rank=4"),
        (Choice(overrides=("settings.epoch=2",)), "--set: unknown setting 'epoch'; did you mean 'epochs'?"),
        (Choice(overrides=("lore.rank=2",)), "--set lore.rank=2: unknown method 'lore'; did you mean 'lora'?"),
        (
            Choice(overrides=("lora.rnak=2",)),  # though the grid has no cell of that method
            "--set lora.rnak=2: unknown hyper-parameter of lora 'rnak'; did you mean 'rank'?",
        ),
        (
            Choice(overrides=("*a*.rnak=2",)),
            "--set *a*.rnak=2: unknown hyper-parameter of *a* 'rnak'; did you mean 'rank'?",
        ),
        (
            Choice(overrides=("lora.width=0",)),
            "--set lora.width=0: hyper-parameter of lora width: must be at least 1, not 0",
        ),
        (Choice(overrides=("z*.rank=2",)), "--set z*.rank=2: unknown method 'z*'; known: adapter, everything, lora"),
    ],
)
def test_wrong_filters_name_the_nearest(tmp_path: Path, choice: Choice, message: str) -> None:
    assert refusal(tmp_path, HEAD + BLOCK, choice) == [message]


def test_malformed_yaml_is_told_with_file_and_line(tmp_path: Path) -> None:
    (line,) = refusal(tmp_path, "name: mine\nblocks:\n  - suites: [scenes\n    methods: all\n")
    assert line.startswith("mine.yaml:4: is not YAML: ")


def test_all_problems_of_the_shape_are_told_at_once(tmp_path: Path) -> None:
    text = "name: mine\nblocs: []\nblocks:\n  - suites: []\n    seed: [0]\n    seeds: [-1]\n"
    assert refusal(tmp_path, text) == [
        "mine.yaml:4: blocks.0.suites: must not be empty",
        "mine.yaml:4: blocks.0.backbones: is missing",
        "mine.yaml:6: blocks.0.seeds.0: must be at least 0, not -1",
        "mine.yaml:5: blocks.0.seed: unknown field 'seed'; did you mean 'seeds'?",
        "mine.yaml:2: blocs: unknown field 'blocs'; did you mean 'blocks'?",
    ]


def test_all_unknown_names_and_values_are_told_at_once(tmp_path: Path) -> None:
    text = """name: mine
blocks:
  - suites: [scenes, scenery]
    backbones: [smal]
    methods: [adaptor]
  - suites: [scenes]
    backbones: [small]
    settings: {epoch: 2}
    methods:
      - {method: lora, rang: 3}
      - {method: lora, width: 0}
"""
    found = refusal(tmp_path, text)
    assert found[:4] == [
        "mine.yaml:3: blocks.0.suites.1: unknown suite 'scenery'; did you mean 'scenes'?",
        "mine.yaml:4: blocks.0.backbones.0: unknown backbone 'smal'; did you mean 'small'?",
        "mine.yaml:5: blocks.0.methods.0: unknown method 'adaptor'; did you mean 'adapter'?",
        "mine.yaml:8: blocks.1.settings: unknown setting 'epoch'; did you mean 'epochs'?",
    ]
    assert found[4] == "mine.yaml:10: blocks.1.methods.0: unknown hyper-parameter of lora 'rang'; did you mean 'rank'?"
    assert found[5:] == [
        "mine.yaml:11: blocks.1.methods.1: hyper-parameter of lora width: must be at least 1, not 0",
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("name: mine\nname: yours\n", ["2: key 'name' is there already, in line 1; keep one of them"]),
        (
            HEAD + "  - {suites: scenes, suites: photos}\n  - settings:\n      epochs: 2\n      epochs: 3\n",
            [
                "3: key 'suites' is there already, in line 3; keep one of them",
                "6: key 'epochs' is there already, in line 5; keep one of them",
            ],
        ),
        ("", ["1: is empty"]),
        ("a grid\n", ["1: the file: must be a mapping (name: value), not 'a grid'"]),
        (HEAD, ["2: blocks: must be a list, not nothing"]),
        (
            HEAD + BLOCK.replace("}\n", ", seeds: [one, 1.5]}\n"),
            [
                "3: blocks.0.seeds.0: must be a whole number, not 'one'",
                "3: blocks.0.seeds.1: must be a whole number, not 1.5",
            ],
        ),
        (
            HEAD + BLOCK.replace("}\n", ", settings: {selection: worst, learning_rate: 0, limit: few}}\n"),
            [
                "3: blocks.0.settings: setting learning_rate: must be more than 0, not 0",
                "3: blocks.0.settings: setting selection: must be 'last' or 'best', not 'worst'",
                "3: blocks.0.settings: setting limit: must be a whole number, not 'few'",
            ],
        ),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_what_is_allowed(tmp_path: Path, text: str, lines: list[str]) -> None:
    assert refusal(tmp_path, text) == [f"mine.yaml:{line}" for line in lines]


def test_an_unknown_grid_brings_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown grid 'smoky'; did you mean 'smoke'"):
        load_grid("smoky")
    with pytest.raises(UserError, match="cannot be read"):
        load_grid(str(tmp_path / "absent.yaml"))


@pytest.mark.parametrize("name", sorted(built_in()))
def test_shipped_grids_name_what_there_is(name: str) -> None:
    file = load_grid(name)
    assert file.grid.name == name
    assert expand(file, Catalogue())


def test_tuning_gives_every_method_the_same_rates_and_a_seed_of_its_own() -> None:
    tuning, usual = expand(load_grid("tune-mini"), Catalogue()), matching_methods("usual", find_methods())
    tried = {(cell.suite, cell.method): [] for cell in tuning}
    assert {method for _, method in tried} == set(usual)
    for cell in tuning:
        tried[cell.suite, cell.method].append(cell.parameters["learning_rate"])
        assert cell.settings.score_on == "select"
    assert len(tried) == 2 * len(usual)
    (rates,) = {tuple(each) for each in tried.values()}
    assert len(rates) == 4
    others = {
        seed for name in built_in() if name != "tune-mini" for b in load_grid(name).grid.blocks for seed in b.seeds
    }
    assert not {cell.seed for cell in tuning} & others


def test_both_embedded_backbones_are_tuned_alike() -> None:
    found = expand(load_grid("full"), Catalogue(), Choice(suites=("mini-image",)))
    plain = [cell for cell in found if cell.settings.control == "none"]
    terms = {(cell.backbone, cell.method): (cell.parameters, cell.settings) for cell in plain}
    methods = [cell.method for cell in plain if cell.backbone == "mini-bart-text"]
    assert {"full", "adapter-single", "projection"} <= set(methods)
    assert all(terms["mini-bart-text", method] == terms["mini-bart", method] for method in methods)


def test_tuning_trains_as_the_leaderboard_does() -> None:
    trained: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name in ("full", "everything", "core", "instrument"):
        for block in load_grid(name).grid.blocks:
            for suite in block.suites:
                trained[suite.removesuffix("-double")].append(block.settings | {"measure": False})
    for block in load_grid("tune-mini").grid.blocks:
        (suite,) = block.suites
        assert all(block.settings == settings | {"score_on": "select"} for settings in trained[suite])
    assert all(len(trained[suite]) > 1 for suite in ("mini-image", "mini-video"))
