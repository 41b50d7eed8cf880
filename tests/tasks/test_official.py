"""Official files: what their readers take and refuse, and scores against the owners' evaluators."""

import json
import shutil
from collections import defaultdict

import pytest

from tasks import DataError
from tasks.official.catalogue import FORMATS

VQA_ANSWERS = [{"answer": answer} for answer in ["two"] * 5 + ["3"] * 5]
CAPTIONS = [
    {"image_id": 1, "caption": "a dog"},
    {"image_id": 2, "caption": "a cat"},
    {"image_id": 1, "caption": "dogs"},
]


def lines(*records):
    return "\n".join(json.dumps(record) for record in records) + "\n"


SMALL = {  # task: references, predictions, metrics
    "vqav2": (
        json.dumps(
            {
                "annotations": [
                    {"question_id": 1, "image_id": 7, "answer_type": "number", "answers": VQA_ANSWERS},
                    {"question_id": 2, "image_id": 7, "answer_type": "yes/no", "answers": [{"answer": "yes"}] * 10},
                ]
            }
        ),
        '[{"question_id": 2, "answer": "Yes"}, {"question_id": 1, "answer": "2"}]',
        {"vqa-accuracy": 0.5, "vqa-accuracy:number": 1.0, "vqa-accuracy:yes/no": 0.0},
    ),
    "gqa": (
        json.dumps(
            {
                "q1": {"imageId": "n1", "answer": "red", "isBalanced": True, "types": {"structural": "query"}},
                "q2": {"imageId": "n1", "answer": "no", "isBalanced": True, "types": {"structural": "verify"}},
                "q3": {"imageId": "n2", "answer": "no", "isBalanced": False, "types": {"structural": "verify"}},
            }
        ),
        '[{"questionId": "q1", "prediction": "Red"}, {"questionId": "q2", "prediction": "no"}]',
        {"accuracy": 0.5, "accuracy:query": 0.0, "accuracy:verify": 1.0},
    ),
    "nlvr2": (
        lines(
            {"identifier": "dev-1-0-0", "label": "True"},
            {"identifier": "dev-1-1-0", "label": "False"},
            {"identifier": "dev-1-0-1", "label": "True"},
        ),
        "dev-1-0-0,true\ndev-1-1-0,True\ndev-1-0-1,TRUE\n",
        {"accuracy": 2 / 3, "consistency": 1 / 2},
    ),
    "nlvr": (
        lines({"identifier": "12-0", "label": "true"}, {"identifier": "13-2", "label": "false"}),
        "".join(f"dev-12-0-{k}.png,true\ndev-13-2-{k}.png,{'true' if k == 5 else 'False'}\n" for k in range(6)),
        {"accuracy": 11 / 12, "consistency": 1 / 2},
    ),
    "tvqa": (
        lines({"qid": 5, "answer_idx": 4, "vid_name": "a"}, {"qid": 6, "answer_idx": "0", "vid_name": "a"}),
        '{"6": 0, "5": "3"}',
        {"accuracy": 0.5},
    ),
    "glue/cola": (
        "gj04\t1\t\tThe sailors rode.\ngj04\t0\t*\tThe rode sailors.\ngj04\t1\t\tIt is.\n",
        "index\tprediction\n0\t1\n1\t0\n2\t1\n",
        {"matthews": 1.0},
    ),
    "glue/mrpc": (
        '\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t8\t9\t"A\tB\r\n0\t8\t9\tA\tC\r\n1\t8\t9\tA\tD\r\n',
        "index\tprediction\n0\t1\n1\tno\n2\t0\n",
        {"f1": 2 * 1 / (2 * 1 + 1 + 1), "accuracy": 1 / 3},
    ),
    "glue/stsb": (
        "index\tsentence1\tsentence2\tscore\n0\ta\tb\t1.000\n1\ta\tb\t5.000\n2\ta\tb\t3.000\n",
        "0\t2.0\n1\tmuch\n2\t0.5\n",
        {"pearson": -1.0, "spearman": -1.0},
    ),
    "glue/rte": (
        "index\tsentence1\tsentence2\tlabel\n10\ta\tb\tentailment\n11\ta\tb\tnot_entailment\n",
        "11\tnot_entailment\n10\t0\n",
        {"accuracy": 0.5},
    ),
}


@pytest.fixture
def matched(tmp_path):
    """Read texts as the files of a task."""

    def read(task, references, predictions, questions=None):
        (tmp_path / "references").write_text(references)
        (tmp_path / "predictions").write_text(predictions)
        if questions is not None:
            (tmp_path / "questions").write_text(questions)
        asked = None if questions is None else tmp_path / "questions"
        return FORMATS[task].read(tmp_path / "references", tmp_path / "predictions", asked)

    return read


@pytest.mark.parametrize("task", SMALL)
def test_small_files(task, matched):
    references, predictions, expected = SMALL[task]
    examples, said, left_out = matched(task, references, predictions)
    scores = FORMATS[task].scorer(examples, said)
    assert dict(scores.metrics) == pytest.approx(expected)
    assert all(len(each) == len(examples) for each in scores.per_example.values())
    assert left_out == 0


def test_captions_are_scored_where_there_is_a_prediction(matched, no_meteor):
    predictions = '[{"image_id": 1, "caption": "a dog"}]'
    examples, said, left_out = matched("coco-caption", json.dumps({"annotations": CAPTIONS}), predictions)
    assert [(example.id, example.references) for example in examples] == [("1", ("a dog", "dogs"))]
    assert (said, left_out) == (["a dog"], 1)
    metrics = FORMATS["coco-caption"].scorer(examples, said).metrics
    assert metrics["bleu-1"] == pytest.approx(1.0)
    assert list(metrics) == ["cider", "bleu-1", "bleu-2", "bleu-3", "bleu-4", "rouge-l", "meteor"]


def test_captions_of_clips_are_ascii_and_the_first_counts(matched, no_meteor):
    references = lines({"clip_id": 3, "descs": [{"desc": "a cr\u00e8me"}]})
    predictions = lines({"clip_id": 3, "descs": [{"desc": "a cr me"}, {"desc": "no"}]})
    examples, said, _ = matched("tvc", references, predictions)
    assert FORMATS["tvc"].scorer(examples, said).metrics["rouge-l"] == pytest.approx(1.0)
    assert FORMATS["coco-caption"].scorer(examples, said).metrics["rouge-l"] < 1.0


def test_only_the_questions_given_are_scored(matched):
    references, _, _ = SMALL["vqav2"]
    found = matched("vqav2", references, '[{"question_id": 1, "answer": "3"}]', '{"questions": [{"question_id": 1}]}')
    assert [example.id for example in found.examples] == ["1"]
    with pytest.raises(DataError, match=r"predictions: record 1: question_id 2 is not in \S*questions \(1 such\)"):
        matched("vqav2", references, '[{"question_id": 2, "answer": "3"}]', '{"questions": [{"question_id": 1}]}')
    with pytest.raises(DataError, match="questions: record 1: question_id 9 is not in"):
        matched("vqav2", references, "[]", '{"questions": [{"question_id": 9}]}')


def test_unbalanced_questions_may_be_answered_but_do_not_count(matched):
    references, predictions, _ = SMALL["gqa"]
    more = json.dumps([*json.loads(predictions), {"questionId": "q3", "prediction": "no"}])
    assert matched("gqa", references, more) == matched("gqa", references, predictions)


ONE = '{"annotations": [{"question_id": 1, "image_id": 7, "answers": %s}]}'
ANSWERED = ONE % json.dumps(VQA_ANSWERS)
RTE = "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tentailment\n"


@pytest.mark.parametrize(
    ("task", "references", "predictions", "message"),
    [
        ("vqav2", ANSWERED[:60], "[]", r"references:1: is not whole JSON \(.*\); expected an official annotation"),
        ("vqav2", ANSWERED, '[{"question_id": 1,\n"answ', "predictions:2: is not whole JSON"),
        ("vqav2", ANSWERED, '[{"question_id": 1}]', "predictions: 0.answer: Field required; expected a list"),
        ("vqav2", ANSWERED, '[{"question_id": 1, "answer": ["a"]}]', "predictions: 0.answer: .*valid string"),
        ("vqav2", ANSWERED, '{"1": "a"}', "predictions: the document: .*valid list; expected a list of question_id"),
        ("vqav2", ONE % "[]", "[]", "references: record 1: question_id 1 has no answers; add"),
        ("vqav2", '{"annotations": [{"question_id": 1, "image_id": 7}]}', "[]", "record 1: question_id 1 has no answ"),
        ("vqav2", '{"questions": []}', "[]", "references: annotations: Field required"),
        ("vqav2", '{"annotations": []}', "[]", "references: holds nothing to score"),
        ("vqav2", ANSWERED, "[]", r"predictions: 1 of 1 predictions are missing \(first: question_id 1\); add"),
        (
            "vqav2",
            ANSWERED,
            '[{"question_id": 1, "answer": "a"}, {"question_id": 8, "answer": "a"}]',
            r"predictions: record 2: question_id 8 is not in \S*references \(1 such\); leave it out",
        ),
        (
            "vqav2",
            ANSWERED,
            '[{"question_id": 1, "answer": "a"}, {"question_id": 1, "answer": "b"}]',
            "predictions: records 1 and 2 have the same question_id 1; keep one",
        ),
        ("gqa", '{"q": {"imageId": "n", "answer": "a"}, "q": {"imageId": "n"}}', "[]", "references: 'q' occurs twice"),
        ("gqa", '{"q": {"imageId": "n"}}', "[]", "references: question q has no answer; give"),
        ("tvqa", '{"qid": 1, "answer_idx": 0}', '{"1": 0, "1": 2}', "predictions: '1' occurs twice .* keep one"),
        ("tvqa", '{"qid": 1, "answer_idx": 0}', '{"1": "b"}', "predictions: 1: .*valid integer"),
        ("tvqa", '{"qid": 1, "answer_idx": 0}\n{"qid": 2}\n', "{}", "references: record 2: qid 2 has no answer_idx"),
        ("tvqa", '{"qid": 1, "answer_idx": 0}\n\n{"qid": 2', "{}", "references:3: is not whole JSON"),
        ("tvqa", '{"qid": 1, "answer_idx": 0}\n{"answer_idx": 2}', "{}", "references:2: qid: Field required"),
        ("tvc", '{"clip_id": 1}', "", "references: record 1: clip_id 1 has no descs; give"),
        ("nlvr", '{"identifier": "1-0", "label": "maybe"}', "", "identifier 1-0 has the label 'maybe'; expected true"),
        ("nlvr", '{"identifier": "dev-1-0", "label": "true"}', "", "identifier dev-1-0 has 3 parts; expected 2"),
        ("nlvr2", '{"identifier": "dev-1-0-0", "label": "True"}', "dev-1-0-0\n", "predictions:1: has one field"),
        ("nlvr", '{"identifier": "1-0", "label": "true"}', "dev-1-0-6.png,true", "identifier 1-0-6 is not in"),
        ("coco-caption", json.dumps({"annotations": CAPTIONS}), "[]", "holds nothing to score with"),
        ("coco-caption", json.dumps({"annotations": CAPTIONS}), '[{"image_id": 9, "caption": ""}]', "image_id 9 is"),
        ("coco-caption", "[" * 100_000, "[]", "references: maximum recursion depth"),
        (
            "glue/rte",
            "index\tsentence\n0\ta\n",
            "",
            "references: has no column label; expected a file in GLUE's format with labels",
        ),
        ("glue/rte", RTE + "1\ta\tb\t0\n", "", "references: record 2: has the label '0'; expected .*not_entailment"),
        ("glue/rte", RTE + "1\ta\tb\n", "", "references: record 2: has the label ''"),
        ("glue/stsb", "index\tscore\n0\thigh\n", "", r"references: record 1: has the label 'high'; .*\(numbers\)"),
        ("glue/cola", "index\tsentence\n0\tIt is.\n", "", "references: record 1: has the label 'sentence'"),
        ("glue/rte", RTE, "index\tprediction\n0 entailment\n", r"predictions:2: has one field \('0 entailment'\)"),
    ],
)
def test_what_is_wrong_is_one_line(task, references, predictions, message, matched):
    with pytest.raises(DataError, match=message) as error:
        matched(task, references, predictions)
    assert "\n" not in str(error.value)


def test_files_that_are_no_text_are_named(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name, message in (("binary", "is not UTF-8 text"), ("absent", "cannot be read"), (".", "Is a directory")):
        with pytest.raises(DataError, match=message):
            FORMATS["vqav2"].read(tmp_path / name, tmp_path / name)


def scored(form, references, predictions, questions=None):
    examples, said, _ = form.read(references, predictions, questions)
    scores = form.scorer(examples, said)
    return [example.id for example in examples], scores.metrics, scores.per_example


def test_vqa_is_the_official_score(real_folder):
    folder = real_folder("vqa")
    files = [folder / f"val2000_{name}.json" for name in ("annotations", "results_noisy", "questions")]
    names, metrics, each = scored(FORMATS["vqav2"], *files)
    official = json.loads((folder / "val2000_accuracy.json").read_text())
    percents = {name.partition(":")[2]: round(100 * value, 2) for name, value in metrics.items()}
    assert percents == {"": official["overall"], **official["perAnswerType"]}
    by_question = json.loads((folder / "val2000_accuracy_per_question.json").read_text())
    assert dict(zip(names, (round(100 * value, 2) for value in each["vqa-accuracy"]), strict=True)) == by_question
    by_type = defaultdict(list)
    for row, value in zip(json.loads(files[0].read_text())["annotations"], each["vqa-accuracy"], strict=True):
        by_type[row["question_type"]].append(value)
    found = {kind: round(100 * sum(values) / len(values), 2) for kind, values in by_type.items()}
    assert found == official["perQuestionType"]


def test_gqa_is_the_official_score(real_folder):
    folder = real_folder("gqa")
    files = [folder / f"dev_50images_{name}.json" for name in ("questions", "predictions")]
    names, metrics, _ = scored(FORMATS["gqa"], *files)
    official = json.loads((folder / "dev_50images_scores.json").read_text())
    by_type = {f"accuracy:{kind}": value for kind, value in official["accuracy_by_structural_type"].items()}
    assert len(names) == official["questions"]
    assert dict(metrics) == pytest.approx({"accuracy": official["accuracy"], **by_type}, abs=1e-12)
    assert scored(FORMATS["gqa"], *files, files[0])[1] == metrics


def test_nlvr_is_the_official_score(real_folder):
    folder = real_folder("nlvr")
    names, metrics, _ = scored(FORMATS["nlvr"], folder / "dev.json", folder / "dev_predictions.csv")
    official = json.loads((folder / "dev_scores.json").read_text())
    assert len(names) == official["predictions"]
    expected = {"accuracy": official["precision"], "consistency": official["consistency"]}
    assert dict(metrics) == pytest.approx(expected, abs=1e-12)


def test_nlvr2_is_the_official_score(real_folder):
    folder = real_folder("nlvr2")
    files = folder / "dev_subset.json", folder / "dev_subset_predictions.csv"
    names, metrics, _ = scored(FORMATS["nlvr2"], *files)
    official = json.loads((folder / "dev_subset_scores.json").read_text())
    assert len(names) == official["examples"]
    assert dict(metrics) == pytest.approx({name: official[name] for name in ("accuracy", "consistency")}, abs=1e-12)


@pytest.mark.parametrize("task", ["tvqa", "how2qa"])
def test_video_questions_score_as_in_value(real_folder, task):
    folder = real_folder("video")
    files = [folder / task / f"{task}_val_subset{end}" for end in (".jsonl", "_predictions.json")]
    names, metrics, _ = scored(FORMATS[task], *files)
    official = json.loads((folder / "reference_scores.json").read_text())[f"{task}_val_subset"]
    assert (len(names), round(100 * metrics["accuracy"], 2)) == (official["rows"], official["accuracy"])


@pytest.mark.parametrize(
    ("task", "file", "rows"),
    [
        ("cola", "CoLA/dev.tsv", 1043),
        ("sst2", "SST-2/dev.tsv", 872),
        ("mrpc", "MRPC/dev.tsv", 408),
        ("qqp", "QQP/dev_1k.tsv", 1000),
        ("stsb", "STS-B/dev.tsv", 1500),
        ("mnli", "MNLI/dev_official_columns.tsv", 240),
        ("qnli", "QNLI/dev.tsv", 5463),
        ("rte", "RTE/dev.tsv", 277),
        ("wnli", "WNLI/dev.tsv", 71),
    ],
)
def test_glues_own_labels_score_one(real_folder, tmp_path, task, file, rows):
    form, path = FORMATS[f"glue/{task}"], real_folder("glue") / file
    labels = [f"{example.id}\t{example.references[0]}\n" for example in form.references(path)]
    (tmp_path / "labels.tsv").write_text("index\tprediction\n" + "".join(labels))
    names, metrics, _ = scored(form, path, tmp_path / "labels.tsv")
    assert len(names) == rows
    assert list(metrics.values()) == pytest.approx([1.0] * len(metrics))


OFFICIAL = {
    "cider": "CIDEr",
    **{f"bleu-{order}": f"Bleu_{order}" for order in (1, 2, 3, 4)},
    "rouge-l": "ROUGE_L",
    "meteor": "METEOR",
}


JAVA = shutil.which("java") is not None


def same(found, official):
    """METEOR, which takes Java and seconds of a processor, may be absent."""
    expected = {name: official[OFFICIAL[name]] for name, value in found.items() if value is not None}
    return len(expected) >= 6 and {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "with_meteor"),
    [("fakecap", False), ("model", False), pytest.param("fakecap", True, marks=pytest.mark.slow)],
)
def test_captions_score_as_in_the_official_pipeline(real_folder, request, name, with_meteor):
    folder = real_folder("coco_captions")
    if not with_meteor:
        request.getfixturevalue("no_meteor")
    files = folder / "captions_val2014_subset500.json", folder / f"captions_val2014_{name}_results.json"
    names, metrics, each = scored(FORMATS["coco-caption"], *files)
    official = json.loads((folder / "reference_scores.json").read_text())
    assert len(names) == official["corpus"][name]["images"]
    assert same(metrics, official["corpus"][name]["scores"])
    assert (metrics["meteor"] is not None) == (with_meteor and JAVA)
    for place, image in enumerate(names):
        assert same({metric: values[place] for metric, values in each.items()}, official["per_image"][name][image])


@pytest.mark.parametrize(
    ("task", "file", "with_meteor"), [("tvc", "tvc_val_subset_1ref", False), ("yc2c", "yc2c_val_subset", True)]
)
def test_captions_of_clips_score_as_in_value(real_folder, request, task, file, with_meteor):
    folder = real_folder("video")
    if not with_meteor:
        request.getfixturevalue("no_meteor")
    files = folder / task / f"{file}.jsonl", folder / task / f"{task}_val_subset_predictions.jsonl"
    names, metrics, _ = scored(FORMATS[task], *files)
    official = json.loads((folder / "reference_scores.json").read_text())[file]
    assert len(names) == official["clips"]
    assert same(metrics, official["scores"])
    assert (metrics["meteor"] is not None) == (with_meteor and JAVA)
    percents = {OFFICIAL[name]: round(100 * value, 2) for name, value in metrics.items() if value is not None}
    assert percents.items() <= official["scores_times_100"].items()
