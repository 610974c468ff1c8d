"""Every estimator, interval and correction against metafor's stored values (reference/multiverse.R),
the selection of rows against the rule of notebook 01, and the curve's statistics against brute force."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pymare import Dataset
from pymare.estimators import DerSimonianLaird

from peersupport.effects import select
from peersupport.multiverse import choices, curve, data_sets, evaluate
from peersupport.pool import engine
from peersupport.pool.fit import composites, extreme, univariate

REFERENCE = Path(__file__).parent / "reference"
SMALL = {
    "window": {"all": {}, "late": {"year": [2021, 2022]}},
    "time_point": {"end first": ["post", "follow_up"], "follow-up first": ["follow_up", "post"]},
    "figures": {"all": ["means", "change", "events", "printed", "p"], "means": ["means", "change"]},
    "several": ["average", "highest", "lowest"],
    "rho": [0.6, 0.2],
    "outliers": ["kept", "removed"],
    "small_study": ["none", "trim_and_fill", "pet_peese"],
    "estimator": list(engine.ESTIMATORS),
    "interval": list(engine.INTERVALS),
}
LIMITS = evaluate.Limits(trials=3, correction_trials=4)


@pytest.fixture(scope="module")
def sets():
    return {name: rows for name, rows in pd.read_csv(REFERENCE / "multiverse_data.csv").groupby("set")}


@pytest.fixture(scope="module")
def stack(sets):
    """All published and made data sets, of 3 to 28 trials, in one stack."""
    return stacked_up([(rows["y"].to_numpy(), rows["v"].to_numpy()) for rows in sets.values()])


def stacked_up(pairs):
    longest = max(len(y) for y, _ in pairs)
    y, v = np.zeros((longest, len(pairs))), np.full((longest, len(pairs)), np.inf)
    for column, (one, variance) in enumerate(pairs):
        y[: len(one), column], v[: len(one), column] = one, variance
    return engine.sort_columns(y, v)


def results(stack, estimator, interval, correction):
    y, v = stack
    if correction != "none":
        y, v, _ = engine.fill(y, v, "fixed" if correction == "filled_by_fixed" else estimator)
    pooled = engine.pool(y, v, estimator)
    half = engine.half_width(pooled, interval)
    error, df = engine.standard_error(pooled, interval)
    p = engine.p_value(pooled.effect, error, np.where(interval == "wald", np.inf, df))
    return np.array([pooled.effect, pooled.effect - half, pooled.effect + half, p, pooled.tau2])


@pytest.mark.parametrize("correction", ["none", "filled_by_fixed", "filled_by_same"])
@pytest.mark.parametrize("interval", engine.INTERVALS)
@pytest.mark.parametrize("estimator", engine.ESTIMATORS)
def test_every_fit_is_metafors(sets, stack, estimator, interval, correction):
    theirs = pd.read_csv(REFERENCE / "multiverse.csv").set_index("set")
    theirs = theirs[theirs["correction"].eq(correction) & theirs["interval"].eq(interval)]
    theirs = theirs[theirs["estimator"].eq(estimator)]
    if estimator == "fixed" and interval != "wald":
        assert theirs.empty
        return
    assert len(theirs) >= 14
    ours = pd.DataFrame(results(stack, estimator, interval, correction).T, index=list(sets))
    wanted = theirs[["effect", "ci_low", "ci_high", "p_value", "tau2"]]
    np.testing.assert_allclose(ours.loc[theirs.index], wanted, rtol=1e-6, atol=1e-6)


def test_pet_and_peese_are_rs_weighted_lines(sets, stack):
    lines = pd.read_csv(REFERENCE / "multiverse_pet.csv").pivot(index="set", columns="line")
    intercept, error, df = engine.pet_peese(*stack)
    above = lines["intercept", "pet"].gt(0) & lines["p", "pet"].lt(0.1)
    assert 0 < above.sum() < len(above)
    for column, name in enumerate(sets):
        which = "peese" if above[name] else "pet"
        wanted = lines.loc[name, [("intercept", which), ("error", which)]].to_numpy(float)
        np.testing.assert_allclose([intercept[column], error[column]], wanted, rtol=1e-8)
        assert df[column] == len(sets[name]) - 2


def test_a_column_does_not_depend_on_its_neighbours(stack):
    y, v = (np.tile(x, 120) for x in stack)
    for estimator in engine.ESTIMATORS:
        together = engine.pool(y, v, estimator)
        alone = engine.pool(y[:, -40:], v[:, -40:], estimator)
        assert len(together.effect) > engine.COLUMNS_AT_ONCE
        assert together.effect[-40:].tobytes() == alone.effect.tobytes()
        assert together.tau2[-40:].tobytes() == alone.tau2.tobytes()


@pytest.mark.parametrize(("estimator", "restricted"), [("ML", False), ("REML", True)])
def test_likelihood_is_nowhere_higher(estimator, restricted):
    """6,000 small data sets, some with a second maximum at zero, against a grid of tau2."""
    rng = np.random.default_rng(7)
    v = rng.uniform(0.01, 0.2, (6, 6000))
    y = rng.normal(0, np.sqrt(v + 0.06))
    found = engine.pool(y, v, estimator).tau2
    grid = [0.0, *np.geomspace(1e-4, 3, 150)]
    highest = np.max([engine._log_likelihood(y, v, x, restricted) for x in grid], axis=0)
    reached = engine._log_likelihood(y, v, found, restricted)
    assert 0.1 < np.mean(found == 0) < 0.7
    assert (reached > highest - 1e-6).all()


def test_dersimonian_laird_is_pymares(sets):
    rows = sets["hackshaw1998"]
    y, v = rows[["y"]].to_numpy(), rows[["v"]].to_numpy()
    theirs = DerSimonianLaird().fit_dataset(Dataset(y=y, v=v)).summary()
    ours = engine.pool(y, v, "DL")
    assert ours.tau2[0] == pytest.approx(theirs.tau2.item(), abs=1e-12)
    assert ours.effect[0] == pytest.approx(theirs.get_fe_stats()["est"].item(), abs=1e-12)


def test_bad_input_is_refused(stack):
    y, v = stack
    with pytest.raises(ValueError, match="choose from REML"):
        engine.pool(y, v, "reml")
    with pytest.raises(ValueError, match="zero or negative"):
        engine.pool(y, np.where(v > 0.1, 0, v), "DL")
    with pytest.raises(ValueError, match="alike"):
        engine.pool(y, v[1:], "DL")
    with pytest.raises(ValueError, match="do not have"):
        data_sets.accepts(pd.DataFrame({"year": [2020]}), {"yeer": [2020]})


# ---------------------------------------------------------------- the multiverse on a small review


@pytest.fixture(scope="module")
def effects():
    """Eight trials; some with two instruments, two times, two routes or a companion domain."""
    rng, rows = np.random.default_rng(3), []
    for trial in range(8):
        for instrument, time, method in [
            ("A", "post", "standardised" if trial == 6 else "means"),
            *[("B", "post", "means")] * (trial % 2),
            *[("A", "follow_up", "means")] * (trial % 3 == 0),
            *[("A", "post", "standardised")] * (trial in (2, 5)),
        ]:
            number = len(rows)
            rows.append(
                {
                    "row_id": f"O{number:04}",
                    "trial": f"T{trial}",
                    "study": f"T{trial}",
                    "year": 2018 + trial % 5,
                    "outcome_domain": "hope",
                    "family": "smd",
                    "recovery_type": "personal",
                    "instrument": instrument,
                    "time_point": time,
                    "time_weeks": 12.0 + number,
                    "method": method,
                    "flags": "",
                    "source": "coder",
                    "event": "",
                    "randomised": True,
                    "selected": True,
                    "effect": rng.normal(0.3, 0.3),
                    "variance": rng.uniform(0.02, 0.1),
                }
            )
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def small(effects):
    taken = choices.selections(effects, {}, SMALL)
    return taken, data_sets.data_sets(effects, taken, SMALL, LIMITS.trials)


def test_each_mask_is_the_selection_rules(effects, small):
    for (time, figure), mask in small[0].items():
        chosen = select.select(effects, {}, tuple(SMALL["time_point"][time]), tuple(SMALL["figures"][figure]))
        assert mask.tolist() == chosen["selected"].tolist()
    assert len({mask.tobytes() for mask in small[0].values()}) > 2


def test_every_combination_has_its_data_set(effects, small):
    """Each cell of the grid, made again row by row with the functions that notebook 03 uses."""
    taken, data = small
    for at in np.ndindex(data.place.shape):
        level = dict(zip(data.axes, (data.axes[a][i] for a, i in zip(data.axes, at, strict=True)), strict=True))
        late = SMALL["window"][level["window"]]
        rows = effects[taken[level["time_point"], level["figures"]] & data_sets.accepts(effects, late)]
        rows = rows.assign(n_arm1=1, n_arm2=1)
        if level["several"] == "average":
            rows = composites(rows, level["rho"])
        else:
            rows = extreme(rows, level["several"])
        column = data.place[at]
        if len(rows) < LIMITS.trials:
            assert column == -1
            continue
        inside = np.isfinite(data.v[:, column])
        assert [t for t, there in zip(data.trials, inside, strict=True) if there] == sorted(rows["trial"])
        rows = rows.sort_values("trial")
        np.testing.assert_allclose(data.y[inside, column], rows["effect"], rtol=1e-12)
        np.testing.assert_allclose(data.v[inside, column], rows["variance"], rtol=1e-12)
    assert (data.place >= 0).any() and data.combinations.sum() == (data.place >= 0).sum()


def test_flipped_effects_are_those_of_flipped_rows(effects, small):
    taken, data = small
    turned = data_sets.data_sets(effects.assign(effect=-effects["effect"]), taken, SMALL, LIMITS.trials)
    for here, there in zip(data.place.ravel(), turned.place.ravel(), strict=True):
        assert (here < 0) == (there < 0)
        if here < 0:
            continue
        np.testing.assert_array_equal(data.y_flipped[:, here], turned.y[:, there])
        np.testing.assert_array_equal(data.v_flipped[:, here], turned.v[:, there])


def test_grid_holds_the_single_fits(small):
    _, data = small
    found = evaluate.evaluate(data.y, data.v, SMALL, LIMITS)
    grid = evaluate.on_grid(found["ci_low"], data.place)
    main = pd.DataFrame(dict(zip(["trial", "effect", "variance"], data.main(), strict=True)))
    fit = univariate(main.assign(n_arm1=1, n_arm2=1), "PM", "wald")
    at = [SMALL[c].index(x) for c, x in (("small_study", "none"), ("estimator", "PM"), ("interval", "wald"))]
    assert grid[(0, *at, *[0] * data.place.ndim)] == pytest.approx(fit.ci_low, abs=1e-9)
    fixed = SMALL["estimator"].index("fixed")
    assert np.isnan(found["effect"][:, :, fixed, SMALL["interval"].index("hartung_knapp")]).all()


def test_an_outlier_is_left_out_once():
    y = np.array([[0.1], [0.12], [0.08], [0.11], [3.0]])
    v = np.full((5, 1), 0.01)
    v[:4] = 0.0001
    _, left = evaluate.without_outliers(y, np.minimum(v, 0.0001))
    assert np.isfinite(left).sum() < 5
    same, all_there = evaluate.without_outliers(y[:4], v[:4])
    assert np.isfinite(all_there).all() and (same == y[:4]).all()


def test_table_names_each_result_once_and_counts_all(small):
    _, data = small
    found = evaluate.evaluate(data.y, data.v, SMALL, LIMITS)
    one = curve.whole(data, SMALL, LIMITS, {})
    grid = evaluate.on_grid(found["ci_low"], data.place)
    assert one.table["combinations"].sum() == np.count_nonzero(~np.isnan(grid))
    rounded = one.table[["effect", "ci_low"]].round(6).assign(data_set=one.table["data_set"])
    assert not rounded.duplicated().any() and one.table["effect"].is_monotonic_increasing
    for row in one.table.sample(40, random_state=1).itertuples():
        at = tuple([str(x) for x in levels].index(getattr(row, name)) for name, levels in one.axes.items())
        assert grid[at] == pytest.approx(row.ci_low, abs=1e-6)
    held = sum(count for (choice, _), count in one.held.items() if choice == "estimator")
    assert held.tolist() == one.table["combinations"].tolist()


def by_hand():
    """Choices a (x, y, z) and b (1, 2); z cannot be fitted, and b changes nothing under y: results 0, 1 and 2."""
    number = np.array([[0, 1], [2, 2], [-1, -1]])
    axes = {"a": ["x", "y", "z"], "b": [1, 2]}
    effect = np.array([0.0, 1.0, 2.0])
    table = pd.DataFrame({"effect": effect, "ci_low": effect - 1.5, "ci_high": effect + 1.5, "combinations": [1, 1, 2]})
    return number, axes, table


def test_each_different_result_counts_once_by_hand():
    number, axes, table = by_hand()
    found = curve.summary(table)
    assert (found["results"], found["combinations"], found["median"]) == (3, 4, 1.0)
    assert found["share_ci_above_0"] == pytest.approx(1 / 3)  # of combinations it would be 2 of 4
    held = curve.levels_held(number, axes)
    one = curve.Curve(table, np.array([[0.0, 1.0], [2.0, 2.0], [np.nan, np.nan]]), axes, held)
    levels = curve.levels_table(one).set_index(["choice", "level"])
    assert levels.loc[("a", "y")].tolist() == [1, 2.0, 1.0]
    assert levels.loc[("b", "1")].tolist() == [2, 1.0, 0.5]
    assert levels.loc[("a", "z"), "results"] == 0 and np.isnan(levels.loc[("a", "z"), "median"])
    strips = curve.panel(held, bins=3)
    assert strips["a", "x"].tolist() == [1, 1, 0] and strips["b", "1"].tolist() == [1, 0, 0.5]
    assert one.main_effect == 0.0


def test_a_result_is_of_the_type_of_its_most_defensible_combination():
    number, axes, table = by_hand()
    ranks = curve.rank_of_levels(axes, {"U": {"b": ["2"]}, "N": {"a": ["y"]}})
    assert ranks == [[0, 2, 0], [0, 1]]
    assert [curve.TYPES[i] for i in curve.best_type(number, ranks)] == ["E", "U", "N"]
    apart = curve.by_type(table.assign(type=["E", "U", "N"])).set_index("type")
    assert apart["results"].tolist() == [1, 1, 1] and apart.loc["N", "median"] == 2.0
    # b changes nothing under y: with a alone undoubted, the third result is E by its combination with b 1.
    ranks = curve.rank_of_levels(axes, {"U": {"b": [2]}})
    assert [curve.TYPES[i] for i in curve.best_type(number, ranks)] == ["E", "U", "E"]


@pytest.mark.parametrize(
    ("types", "words"),
    [
        ({"X": {}}, "'X' is none of E, U, N"),
        ({"N": {"a": ["w"]}}, "a has no level 'w'"),
        ({"N": {"c": [1]}}, "c has no"),
    ],
)
def test_a_type_that_names_nothing_is_said(types, words):
    with pytest.raises(ValueError, match=words):
        curve.rank_of_levels({"a": ["x"]}, types)


def test_the_types_of_parameters_yml_name_its_choices():
    settings = yaml.safe_load((Path(__file__).resolve().parents[1] / "parameters.yml").read_text("utf-8"))
    axes = choices.in_window(settings["multiverse"], 2019, 2021)
    types = choices.types_in_window(settings["multiverse_types"], 2019, 2021)
    ranks = dict(zip(axes, curve.rank_of_levels({n: list(x) for n, x in axes.items()}, types), strict=True))
    assert ranks["window"] == [0, 2] and all(levels[0] == 0 for levels in ranks.values())  # the main analysis is E


def test_influence_by_hand():
    effect = np.array([[0.0, 1.0], [2.0, 3.0], [np.nan, np.nan]])
    moved = curve.influence_of_choices(effect, {"a": ["x", "y", "z"], "b": [1, 2]}).set_index("choice")
    assert moved.loc["a"].tolist() == pytest.approx([0.8, 0.8, 2.0])
    assert moved.loc["b"].tolist() == pytest.approx([0.2, 0.2, 1.0])


def test_curves_under_signs_are_single_evaluations(small):
    _, data = small
    flips = curve.sign_flips(len(data.trials), 7, 5)
    found = curve.curves_under_signs(data, flips, SMALL, LIMITS)
    for flip, (median, share) in zip(flips, found, strict=True):
        y = np.where(flip[:, None], data.y_flipped, data.y)
        v = np.where(flip[:, None], data.v_flipped, data.v)
        one = evaluate.evaluate(y, v, SMALL, LIMITS)
        number = curve.numbered(one)
        there = number >= 0
        _, first = np.unique(number[there], return_index=True)
        assert median == pytest.approx(np.median(one["effect"][there][first]), abs=1e-6)
        assert share == pytest.approx(np.mean(one["ci_low"][there][first] > 0), abs=1e-12)


def test_the_observed_curve_is_that_of_the_summary(small):
    _, data = small
    found = curve.summary(curve.whole(data, SMALL, LIMITS, {}).table)
    expected = [found["median"], found["share_ci_above_0"]]
    assert curve.observed(data, SMALL, LIMITS).tolist() == pytest.approx(expected, abs=1e-6)


def test_probability_is_uniform_without_an_effect_and_small_with_one(small):
    """The observed curve taken from the null itself gives every rank; a strong effect the smallest."""
    _, data = small
    flips = np.array(list(product([False, True], repeat=len(data.trials))))[::4]
    curves = curve.curves_under_signs(data, flips, SMALL, LIMITS)
    values = [curve.probability(one, curves)[0] for one in curves]
    for level in (0.1, 0.25, 0.5):
        assert np.mean(np.array(values) <= level) <= level + 0.02
    assert curve.probability(np.array([9.0, 1.1]), curves).tolist() == [1 / (1 + len(curves))] * 2


def test_published_effects_are_turned():
    reviews = pd.DataFrame(
        {
            "review": list("abcd"),
            "outcome_domain": "hope",
            "measure": ["SMD", "RR", "MD", "g"],
            "effect": [-0.3, 0.5, 1, 0.2],
            "ci_low": [-0.5, 0.25, 0, 0.1],
            "ci_high": [-0.1, 1.0, 2, 0.3],
            "higher_is_better": ["no", "no", "no", "yes"],
        }
    )
    found = curve.published(reviews)
    assert found["review"].tolist() == ["a", "b", "d"]
    assert found["effect"].tolist() == pytest.approx([0.3, np.log(2), 0.2])
    assert found["ci_low"].tolist() == pytest.approx([0.1, 0.0, 0.1])
    assert found["ci_high"].tolist() == pytest.approx([0.5, np.log(4), 0.3])
