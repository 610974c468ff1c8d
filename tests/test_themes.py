import pandas as pd
import pytest

from peersupport.describe import themes as thm

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


def test_frequency_by_level_adds_up(reported):
    kinds = pd.Series({"A": "x", "B": "y", "C": "y", "D": None})
    table = thm.frequency_by(reported, kinds, "kind", ["x", "y", "z"])
    hope = table[table["theme"] == "hope"].set_index("level")
    assert hope["studies"].to_dict() == {"x": 1, "y": 1, "z": 0}
    assert hope["of"].to_dict() == {"x": 1, "y": 2, "z": 0}
    assert pd.isna(hope.loc["z", "share"])


def test_reviews_are_counted_by_themselves():
    table = thm.review_frequency(small_themes().query("study == 'Review'"), CODES)
    assert table.set_index("theme")["studies"].to_dict() == {
        "hope": 1,
        "empowerment": 0,
        "tokenism": 0,
        "role_ambiguity": 0,
    }
    assert set(table["of"]) == {1}


def test_source_kind_leaves_an_unknown_design_blank():
    studies = pd.DataFrame(
        {"study": list("ABCD"), "design_family": ["randomised", "qualitative", "non_randomised", "nr"]}
    )
    kinds = thm.source_kind(studies)
    assert kinds[["A", "B", "C"]].tolist() == ["quantitative", "qualitative", "quantitative"]
    assert pd.isna(kinds["D"])


def two_by_two(a, b, c, d):
    """Studies that report a theme: a of a + b in group x, c of c + d in group y."""
    present = [True] * a + [False] * b + [True] * c + [False] * d
    studies = [f"S{i}" for i in range(len(present))]
    columns = pd.MultiIndex.from_tuples([("benefit", "hope")], names=["theme_group", "theme"])
    group = pd.Series(["x"] * (a + b) + ["y"] * (c + d), index=studies)
    return pd.DataFrame(present, index=studies, columns=columns), group


def test_chi_square_by_hand():
    """30/50 against 20/50: chi2 = 100 (30*30 - 20*20)^2 / (50*50*50*50) = 4; V = sqrt(4/100)."""
    table = thm.difference_tests(*two_by_two(30, 20, 20, 30), "g", minimum=10, seed=1).iloc[0]
    assert table["test"] == "chi_square"
    assert table["chi2"] == pytest.approx(4)
    assert table["p"] == pytest.approx(0.0455, abs=1e-4)
    assert table["cramers_v"] == pytest.approx(0.2)


def test_small_counts_get_the_exact_test():
    """Fisher's tea (1935): 3 of 4 against 1 of 4, two-sided p = 34/70."""
    reported, group = two_by_two(3, 1, 1, 3)
    table = thm.difference_tests(reported, group, "g", minimum=1, seed=1, draws=20000).iloc[0]
    assert table["test"] == "exact"
    assert table["p"] == pytest.approx(34 / 70, abs=0.015)
    again = thm.difference_tests(reported, group, "g", minimum=1, seed=1, draws=20000).iloc[0]
    assert again["p"] == table["p"]


def test_small_groups_and_not_reported_are_left_out_of_the_test():
    reported, group = two_by_two(30, 20, 20, 30)
    group.iloc[:3] = "nr"
    group.iloc[3:5] = "tiny"
    table = thm.difference_tests(reported, group, "g", minimum=10, seed=1).iloc[0]
    assert (table["levels"], table["of"]) == (2, 95)


def test_holm_over_the_themes_of_a_grouping():
    reported, group = two_by_two(30, 20, 20, 30)
    both = pd.concat([reported, reported.rename(columns={"hope": "empowerment"}), ~reported & False], axis=1)
    both.columns = pd.MultiIndex.from_tuples(
        [("benefit", theme) for theme in ("hope", "empowerment", "never")], names=["theme_group", "theme"]
    )
    table = thm.difference_tests(both, group, "g", minimum=10, seed=1).set_index("theme")
    assert table.loc["hope", "p_holm"] == pytest.approx(2 * table.loc["hope", "p"])
    assert table.loc["never", "test"] == "none"
    assert pd.isna(table.loc["never", "p_holm"])


def test_cooccurrence_by_hand(reported):
    """hope in A and B, role ambiguity in A and B, of 4 studies: together in 2 of 2; expected 1."""
    table = thm.cooccurrence(reported, "benefit", "barrier").set_index(["theme_a", "theme_b"])
    pair = table.loc[("hope", "role_ambiguity")]
    assert pair[["a", "b", "both", "of", "jaccard", "lift"]].tolist() == [2, 2, 2, 4, 1, 2]
    assert table.loc[("empowerment", "role_ambiguity"), ["both", "jaccard"]].tolist() == [0, 0]
    assert "tokenism" not in table.index.get_level_values("theme_b")


def test_hierarchical_order_puts_alike_rows_together():
    grid = {"p": [1.0, 0.9, 0], "q": [0, 0, 1.0], "r": [1.0, 1.0, 0]}
    pairs = pd.DataFrame(grid, index=["x", "y", "z"]).rename_axis("theme_b").reset_index()
    pairs = pairs.melt("theme_b", var_name="theme_a", value_name="jaccard")
    rows, _ = thm.hierarchical_order(pairs)
    assert abs(rows.index("p") - rows.index("r")) == 1


def test_combinations_are_exclusive(reported):
    counts = thm.combinations(reported, ["hope", "role_ambiguity", "empowerment"])
    assert counts.sum() == 3
    assert counts[(True, True, False)] == 2
    assert counts[(False, False, True)] == 1


def test_ranks_share_the_better_place_and_their_intervals_hold_them():
    columns = pd.MultiIndex.from_tuples([("barrier", theme) for theme in "abcd"], names=["theme_group", "theme"])
    present = [[True, True, True, False]] * 30 + [[True, False, False, False]] * 30
    reported = pd.DataFrame(present, columns=columns)
    table = thm.ranks(reported, "barrier", top=1, draws=200, seed=1).set_index("theme")
    assert table["rank"].to_dict() == {"a": 1, "b": 2, "c": 2, "d": 4}
    assert (table["rank_low"] <= table["rank"]).all() and (table["rank"] <= table["rank_high"]).all()
    assert table["in_top"].to_dict() == {"a": 1, "b": 0, "c": 0, "d": 0}
    again = thm.ranks(reported, "barrier", top=1, draws=200, seed=1).set_index("theme")
    pd.testing.assert_frame_equal(table, again)


def test_ties_leave_the_rank_open_and_reports_of_a_trial_are_drawn_together():
    columns = pd.MultiIndex.from_tuples([("barrier", theme) for theme in "abc"], names=["theme_group", "theme"])
    # a and b tie in every draw: rank 1 or 2; c never reported.
    reported = pd.DataFrame([[True, True, False]] * 20, columns=columns)
    table = thm.ranks(reported, "barrier", top=1, draws=50, seed=1).set_index("theme")
    assert table.loc[["a", "b"], ["rank", "rank_low", "rank_high"]].to_numpy().tolist() == [[1, 1, 2]] * 2
    assert table["in_top"].to_dict() == {"a": 1, "b": 1, "c": 0}
    # One trial with 10 reports of a, ten single studies of b: drawn together, the ten come or stay away as one.
    reported = pd.DataFrame([[True, False, False]] * 10 + [[False, True, False]] * 10, columns=columns)
    trials = pd.Series([0] * 10 + list(range(1, 11)))
    apart = thm.ranks(reported, "barrier", top=1, draws=400, seed=1).set_index("theme")
    joined = thm.ranks(reported, "barrier", trials, top=1, draws=400, seed=1).set_index("theme")
    assert joined.loc["a", "studies"] == apart.loc["a", "studies"] == 10
    # a leads or ties only if its trial is drawn: 1 - (10/11)^11 = 0.65, and once is enough for 10 of 20 or more
    assert joined.loc["a", "in_top"] == pytest.approx(1 - (10 / 11) ** 11, abs=0.07)


def test_the_commonest_take_in_a_tie_for_the_last_place():
    table = pd.DataFrame({"theme": list("abcd"), "studies": [5, 3, 3, 1]})
    assert thm.commonest(table, 2)["theme"].tolist() == ["a", "b", "c"]
    assert thm.commonest(table)["theme"].tolist() == ["a"]


def test_reports_of_one_trial_are_joined(reported):
    trials = pd.Series({"A": "A", "B": "A", "C": "C", "D": "C"})
    joined = thm.one_per_trial(reported, trials)
    assert joined.index.tolist() == ["A", "C"]
    assert joined[("benefit", "hope")].tolist() == [True, False]
    assert joined[("benefit", "empowerment")].tolist() == [False, True]


def test_ranks_of_the_sensitivity_are_within_scope_and_group(reported):
    table = thm.frequency_sensitivity({"all": reported, "two": reported.loc[["C", "D"]]})
    ranks = table.set_index(["scope", "theme"])["rank"]
    assert ranks[("all", "hope")] == 1 and ranks[("all", "empowerment")] == 2
    assert ranks[("two", "empowerment")] == 1 and ranks[("two", "tokenism")] == 1
    assert table.query("scope == 'two'")["of"].eq(2).all()


def test_a_low_observed_count_does_not_warn(recwarn):
    """Expected 5.5 in each cell of the theme, observed 10 and 1: Pearson's test, in silence."""
    table = thm.difference_tests(*two_by_two(10, 90, 1, 99), "g", minimum=10, seed=1).iloc[0]
    assert table["test"] == "chi_square"
    assert not recwarn.list
