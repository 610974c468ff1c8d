"""The codebook: what is wrong in it is said in one sentence each, and what is optional may be left out."""

from pathlib import Path

import pytest
import yaml

from peersupport.store.codebook import CodebookError, read_codebook

TEXT = (Path(__file__).parents[1] / "data/raw/codebook.yml").read_text("utf-8")


def changed(change) -> str:
    book = yaml.safe_load(TEXT)
    change(book)
    return yaml.safe_dump(book, sort_keys=False, allow_unicode=True)


def test_the_codebook_of_this_review_is_right():
    book = read_codebook(TEXT)
    assert book["events"]["hospitalisation"] == "avoid"
    assert book["design_families"]["randomised"]["designs"] == ["rct", "cluster_rct", "pilot_rct"]


def test_a_review_without_what_is_optional_has_empty_entries():
    def least(book):
        for key in [key for key in book if key not in ("codes", "sheets", "arms", "design_families")]:
            del book[key]

    book = read_codebook(changed(least))
    assert (book["events"], book["fidelity_items"], book["moderators"]["slopes"]) == ({}, [], {})


MISTAKES = [
    (lambda b: b.pop("arms"), "arms: this key is missing"),
    (lambda b: b.update(event={}), "event: nothing reads this key; 'events' may be meant"),
    (lambda b: b["arms"]["arm1"].pop("short"), "arms, arm1: 'short' is missing"),
    (lambda b: b["events"].update(hospitalisation="bad"), "events, hospitalisation: 'bad' is no direction"),
    (lambda b: b["events"].update(hospitalization="avoid"), "'hospitalisation' may be meant"),
    (lambda b: b["unions"]["acute_care"].pop("events"), "say which are pooled here, avoid or wanted"),
    (lambda b: b["unions"]["acute_care"]["domains"].append("hope"), "events and scales cannot be pooled together"),
    (lambda b: b["unions"].update(hope=dict(b["unions"]["acute_care"])), "unions, hope: an outcome domain"),
    (
        lambda b: b["design_families"].update(trials=b["design_families"].pop("randomised")),
        "the family 'randomised' is missing",
    ),
    (lambda b: b["design_families"]["qualitative"]["designs"].append("rct"), "'rct' is in randomised as well"),
    (lambda b: b["codes"]["design"].update(n_of_1="N of 1"), "no family has the design 'n_of_1'"),
    (lambda b: b["recovery_types"]["clinical"].append("hope"), "'hope' is in personal as well"),
    (lambda b: b["recovery_types"].update(social=["cost"]), "recovery_types: 'social' is not declared"),
    (lambda b: b["reporting_items"].update(training="Training"), "no yes/no column 'training'"),
    (lambda b: b["reporting_items"].pop("supervision"), "reporting_items has no label for 'supervision'"),
    (lambda b: b["moderators"]["groups"]["setting"].update(page="where"), "page 'where' is not among pages"),
    (lambda b: b["moderators"]["slopes"]["age"].update(column="age_mean"), "no column of numbers 'age_mean'"),
    (lambda b: b["moderators"]["slopes"]["age"].update(per=0), "per 0 is no number above 0"),
    (lambda b: b["moderators"]["joint"].append("dose"), "moderators, joint: 'dose' is not declared"),
    (lambda b: b["domain_words"].update({"hop(e": ["hope"]}), "is no regular expression"),
    (lambda b: b["sheets"]["studies"]["columns"]["design"].update(codes="designs"), "codes has no list 'designs'"),
    (lambda b: b["sheets"]["studies"]["columns"]["design"].update(kind="date"), "kind 'date' is not known"),
    (lambda b: b["second_coder"]["studies"].append("colour"), "the sheet has no column 'colour'"),
    (lambda b: b.update(unions=["a"]), "unions: it must be a mapping"),
    (lambda b: b["arms"].update(arm1="peer support"), "arms: an entry does not have the form"),
]


@pytest.mark.parametrize(("change", "sentence"), MISTAKES, ids=[sentence[:40] for _, sentence in MISTAKES])
def test_each_mistake_is_one_sentence(change, sentence):
    with pytest.raises(CodebookError, match="1 to mend") as error:
        read_codebook(changed(change))
    assert sentence in str(error.value)
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "empty or no mapping"),
        (TEXT.replace("arms:\n", "arms:\n\tx: 1\n"), "line "),
        (TEXT + "\nfidelity_items: [supervision]\n", "'fidelity_items' is declared twice"),
    ],
)
def test_a_file_that_cannot_be_read_names_its_line(text, sentence):
    with pytest.raises(CodebookError) as error:
        read_codebook(text)
    assert sentence in str(error.value)
