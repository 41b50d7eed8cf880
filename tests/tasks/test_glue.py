"""GLUE's sets: both sources, HyperFormer's splits, the text that goes in, the scores, and files that are broken."""

from __future__ import annotations

import math
import shutil

import pandas as pd
import pytest
import torch
from synthetic_files import GLUE, glue_rows, write_glue

from tasks import ROLES, DataError
from tasks._text import shuffled
from tasks.glue import Cola, Mnli, Mrpc, Qnli, Qqp, Rte, Sst2, Stsb

KINDS = (Cola, Sst2, Mrpc, Qqp, Stsb, Mnli, Qnli, Rte)
each_set = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.title)


@pytest.fixture(scope="module")
def owners(tmp_path_factory):
    """The owners' files of all sets; read only."""
    data = tmp_path_factory.mktemp("owners")
    write_glue(data)
    return data


def refused(task, role="train"):
    with pytest.raises(DataError) as error:
        task.examples(role)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("count", [0, 1, 2, 277, 3000])
def test_examples_are_drawn_as_by_torch(count):
    assert shuffled(count) == torch.randperm(count, generator=torch.Generator().manual_seed(42)).tolist()


@pytest.mark.parametrize(
    ("kind", "text", "target"),
    [
        (Cola, "sentence: It is sentence 1 of train .", "1"),
        (Mrpc, "sentence1: It is 1 String 1 of train . sentence2: It is 2 String 1 of train .", "1"),
        (Stsb, "sentence1: It is sentence1 1 of train . sentence2: It is sentence2 1 of train .", "2.5"),
        (Mnli, "premise: It is sentence1 1 of train . hypothesis It is sentence2 1 of train .", "1"),
        (Rte, "sentence1: It is sentence1 1 of train . sentence2: It is sentence2 1 of train .", "1"),
    ],
)
def test_texts_and_labels_are_those_of_hyperformers_code(owners, kind, text, target):
    task = kind(owners)
    example = task.examples("train")[1]
    assert (example.id, example.text) == ("1", text)
    assert example.targets == example.references == (target,)
    assert (example.images, task.prefix) == ((), f"{kind.name.removeprefix('glue/')} ")


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        (Sst2, "sentence: It is sentence {} of {} ."),
        (Qqp, "question1: It is question1 {0} of {1} . question2: It is question2 {0} of {1} ."),
        (Qnli, "question: It is question {0} of {1} . sentence: It is sentence {0} of {1} ."),
    ],
)
def test_a_thousand_examples_of_large_sets_are_kept_from_training(owners, kind, form):
    task, order = kind(owners), shuffled(1012)
    found = {role: [example.text for example in task.examples(role)] for role in ROLES}
    assert found["select"] == [form.format(number, "train") for number in order[:1000]]
    assert found["train"] == [form.format(number, "train") for number in order[1000:]]
    assert found["report"] == [form.format(number, "dev") for number in range(8)]


@pytest.mark.parametrize(("kind", "count"), [(Cola, 9), (Mrpc, 8), (Stsb, 8), (Rte, 9)])
def test_dev_is_halved_for_small_sets(owners, kind, count):
    task, order = kind(owners), [str(number) for number in shuffled(count)]
    assert [example.id for example in task.examples("select")] == order[: count // 2]
    assert [example.id for example in task.examples("report")] == order[count // 2 :]
    assert [example.id for example in task.examples("train")] == [str(number) for number in range(12)]


def test_mnli_selects_on_mismatched_genres_and_reports_matched_ones(owners):
    task = Mnli(owners)
    assert "of dev_mismatched" in task.examples("select")[0].text
    assert "of dev_matched" in task.examples("report")[0].text
    assert (task.card.splits["select"], task.card.splits["report"]) == ("dev mismatched", "dev matched")


@each_set
def test_the_hubs_copy_gives_the_same_examples(owners, tmp_path, kind):
    write_copy(tmp_path, kind)
    copy = kind(tmp_path)
    assert copy.missing() is None
    for role in ROLES:
        assert list(copy.examples(role)) == list(kind(owners).examples(role))


def write_copy(data, kind):
    """Parquet files of the hub's columns, with the same examples."""
    columns, column, labels, *_ = GLUE[kind.title]
    folder = data / kind.name
    folder.mkdir(parents=True)
    for file in {share.file for share in kind.shares.values()}:
        table = pd.DataFrame(glue_rows(kind.title, file), columns=columns)
        texts = dict(zip(kind.copied, (table[name] for name in kind.columns), strict=True))
        numbers = table[column].astype("float32") if kind is Stsb else table[column].map(labels.index)
        name = f"{file.replace('dev', 'validation')}-00000-of-00001.parquet"
        pd.DataFrame({**texts, "label": numbers, "idx": range(len(table))}).to_parquet(folder / name)


def test_the_owners_files_come_first_and_make_another_fingerprint(owners, tmp_path):
    write_copy(tmp_path, Rte)
    before = Rte(tmp_path).fingerprint()
    shutil.copytree(owners / "glue" / "RTE", tmp_path / "glue" / "RTE")
    assert before != Rte(tmp_path).fingerprint() == Rte(owners).fingerprint()
    (tmp_path / "glue" / "RTE" / "dev.tsv").unlink()
    assert Rte(tmp_path).fingerprint() == before


def test_absent_files_are_named(tmp_path):
    said = Mnli(tmp_path).missing() or ""
    assert "glue lacks MNLI/train.tsv, MNLI/dev_mismatched.tsv, MNLI/dev_matched.tsv: " in said
    assert "gluebenchmark.com/tasks" in said and "nyu-mll/glue" in said
    assert "HARNESS_DATA" in (Mnli().missing() or "")


SCORES = [
    (Cola, ["1", "1", "0", "1"], ["1"] * 4, 0.0),  # a constant has no correlation
    (Cola, ["1", "1", "0", "0"], ["1", "0", "0", "0"], 1 / math.sqrt(3)),
    (Cola, ["1", "0"], ["", "acceptable"], 0.0),
    (Mrpc, ["1", "0", "1"], ["1", "yes", "0"], (1 / 2 + 1 / 3) / 2),  # no label: the wrong one of the two
    (Mrpc, ["0", "0"], ["0", "0"], (0 + 1) / 2),
    (Stsb, ["1.0", "2.0", "3.0"], ["1.0", "2.0", "3.0"], 1.0),
    (
        Stsb,
        ["1.0", "2.0", "3.0"],
        ["3.0", "much", "4.0"],
        (pd.Series([3.0, -1, 4]).corr(pd.Series([1, 2, 3])) + 0.5) / 2,
    ),
    (Stsb, ["1.0", "2.0", "3.0"], ["2.5"] * 3, 0.0),
    (Stsb, ["1.0", "2.0"], ["", ""], 0.0),
    (Rte, ["1", "0"], ["1", "00"], 0.5),
    (Mnli, ["2", "0"], ["2", "contradiction"], 0.5),
]


@pytest.mark.parametrize(("kind", "truth", "said", "value"), SCORES)
def test_scores(owners, kind, truth, said, value):
    task = kind(owners)
    examples = [example_with(task, label) for label in truth]
    scored = task.score(examples, said)
    assert scored.value == pytest.approx(value)
    assert len(scored.per_example) == len(truth)
    parts = task.card.metric.parts
    assert tuple(scored.more) == parts
    assert sum(scored.parts(task.card.metric)) / max(len(parts), 1) == pytest.approx(value)


def example_with(task, label):
    example = task.examples("train")[0]
    return type(example)(example.id, example.text, (), references=(label,))


def test_one_example_has_no_correlation_of_numbers(owners):
    task = Stsb(owners)
    scored = task.score(task.examples("report"), ["1.0"] * len(task.examples("report")))
    assert all(map(math.isnan, scored.per_example))


def test_scores_of_similarity_have_one_decimal_and_halves_go_to_the_even_one(owners):
    assert [example.targets[0] for example in Stsb(owners).examples("train")[:4]] == ["0.0", "2.5", "3.2", "5.0"]


def test_torn_lines_are_left_out_of_qqp_alone(tmp_path):
    write_glue(tmp_path, ["QQP", "RTE"])
    whole = Qqp(tmp_path).examples("report")
    path = tmp_path / "glue" / "QQP" / "dev.tsv"
    path.write_text(path.read_text() + "8\t1\t2\tIs it one\nquestion or two?\t0\n")
    assert list(Qqp(tmp_path).examples("report")) == list(whole)
    path = tmp_path / "glue" / "RTE" / "dev.tsv"
    path.write_text(path.read_text() + "9\tIs it one\n")
    assert f"{path}: record 10: has the label ''; expected a file in GLUE's format" in refused(Rte(tmp_path), "report")


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        (
            Rte,
            lambda text: text.replace("\tlabel", "\tanswer"),
            "has no column label; expected a file in GLUE's format",
        ),
        (
            Rte,
            lambda text: text.replace("sentence2", "text"),
            "has no column sentence2; expected a file in GLUE's format",
        ),
        (Rte, lambda text: text.replace("not_entailment", "no"), "record 2: has the label 'no'; expected"),
        (Mrpc, lambda text: text + "1\t8\t9\tIt is cut\n", "record 13: has 4 of 5 fields; fetch the file again"),
        (Rte, lambda text: text.replace("\n11\t", "\n3\t"), "example '3' of train occurs twice"),
        (Cola, lambda _: "", "no example in the train"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(tmp_path, kind, change, said):
    write_glue(tmp_path, [kind.title])
    path = tmp_path / "glue" / kind.title / "train.tsv"
    path.write_text(change(path.read_text()))
    assert said in refused(kind(tmp_path))


def test_bytes_that_are_no_text_are_told(tmp_path):
    write_glue(tmp_path, ["CoLA"])
    (tmp_path / "glue" / "CoLA" / "train.tsv").write_bytes(b"a\t1\t\t\xff\xfe\n")
    assert "train.tsv: is not UTF-8 text" in refused(Cola(tmp_path))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("label", -1, "record 1: has the label -1; expected 0 to 1: fetch a split whose labels are published"),
        ("label", "entailment", "column label is absent or of another type; expected sentence1 (text)"),
        ("sentence1", None, "column sentence1 has empty cells"),
    ],
)
def test_what_is_wrong_with_a_copy_is_one_line(tmp_path, column, value, said):
    write_copy(tmp_path, Rte)
    path = tmp_path / "glue" / "rte" / "train-00000-of-00001.parquet"
    pd.read_parquet(path).assign(**{column: value}).astype({"sentence1": "string"}).to_parquet(path)
    assert f"{path}: {said}" in refused(Rte(tmp_path))
    path.write_bytes(path.read_bytes()[:-9])
    assert f"{path}: not a whole Parquet file" in refused(Rte(tmp_path))


def test_owners_sets_have_the_sizes_that_are_published(real_folder):
    folder = real_folder("glue").parent
    sizes = {Cola: (8551, 521, 522), Mrpc: (3668, 204, 204), Stsb: (5749, 750, 750), Rte: (2490, 138, 139)}
    for kind, expected in sizes.items():
        assert tuple(len(kind(folder).examples(role)) for role in ROLES) == expected


def test_official_columns_of_mnli_are_read(real_folder, tmp_path):
    folder = tmp_path / "glue" / "MNLI"
    folder.mkdir(parents=True)
    for name, file in {"train": "train", "dev_matched": "dev", "dev_mismatched": "dev"}.items():
        shutil.copy(real_folder("glue") / "MNLI" / f"{file}_official_columns.tsv", folder / f"{name}.tsv")
    task = Mnli(tmp_path)
    assert [len(task.examples(role)) for role in ROLES] == [240, 240, 240]
    assert task.examples("report")[0].id == "208116"
