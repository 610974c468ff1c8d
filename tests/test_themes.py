import pandas as pd
import pytest

from peersupport import themes as thm

CODES = {"benefit": ["hope", "empowerment"], "barrier": ["tokenism", "role_ambiguity"]}


def small_themes() -> pd.DataFrame:
    return pd.DataFrame(
        [
            ("A", "benefit", "hope"),
            ("A", "barrier", "role_ambiguity"),
            ("B", "benefit", "hope"),
            ("B", "barrier", "role_ambiguity"),
            ("C", "benefit", "empowerment"),
            ("Review", "benefit", "hope"),
        ],
        columns=["study", "theme_group", "theme"],
    )


@pytest.fixture
def reported():
    return thm.presence(small_themes(), ["A", "B", "C", "D"], CODES)


def test_presence_holds_every_study_and_every_theme(reported):
    assert reported.shape == (4, 4)
    assert not reported.loc["D"].any()
    assert reported[("benefit", "hope")].tolist() == [True, True, False, False]


def test_a_theme_outside_the_codebook_is_an_error():
    with pytest.raises(ValueError, match="hope"):
        thm.presence(small_themes(), ["A"], {"barrier": ["role_ambiguity"]})


def test_frequency_is_of_all_studies_read_and_ranked_within_its_group(reported):
    table = thm.theme_frequency(reported)
    columns = ["theme_group", "theme", "studies", "of", "share", "ci_low", "ci_high"]
    assert table.columns.tolist() == columns
    assert table["theme"].tolist() == ["hope", "empowerment", "role_ambiguity", "tokenism"]
    assert table["studies"].tolist() == [2, 1, 2, 0]
    assert set(table["of"]) == {4}
    assert table["share"].tolist() == [0.5, 0.25, 0.5, 0]
    # Wilson, 2 of 4 by hand: (2 + 1.9208 ± 1.96 * sqrt(1 + 0.9604)) / (4 + 3.8415)
    assert table.loc[0, ["ci_low", "ci_high"]].tolist() == pytest.approx([0.1500, 0.8500], abs=1e-4)


def test_counts_do_not_depend_on_the_order_of_the_rows(reported):
    shuffled = thm.presence(small_themes().iloc[::-1], ["A", "B", "C", "D"], CODES)
    pd.testing.assert_frame_equal(shuffled, reported)
