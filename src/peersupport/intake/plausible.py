"""Rules that look for slips: figures that do not fit one another, their neighbours, or the same scale elsewhere.

Each takes the outcome rows, or the raw sheets, and yields warnings. Coders' rows are looked at as the consensus decided
them, the database's as corrected. No rule knows what is right; each names two places of which one may be wrong.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from peersupport.effects.formulas import hedges_g, small_sample_correction
from peersupport.effects.routes import RATIOS, STANDARDISED
from peersupport.intake import reconcile
from peersupport.store.sheets import Sheets, problem

NUMBERS = [*reconcile.FIGURES, "time_weeks"]
NOTHING_FOUND = (
    r"\b(?:no|not|non)[- ](?:statistically )?significant|\bno (?:\w+ )?(?:difference|effect)s?\b|\bdid not differ"
)
KEY = r"\b([A-Z][\w'’-]+ (?:19|20)\d\d[a-z]?)\b"


# ---------------------------------------------------------------- rows as they will be used


def outcome_rows(sheets: Sheets) -> pd.DataFrame:
    """Every outcome row, decided and corrected, its figures as floats, with `sheet`, `row`, `scale` and `trial`."""
    known = corrected("database/outcomes", sheets["database/outcomes"], sheets)
    parts = {"coder_a/outcomes": decided(sheets), "database/outcomes": known}
    rows = pd.concat([part.assign(sheet=name) for name, part in parts.items()]).rename_axis("row")
    rows = rows.reset_index().fillna("")
    trial = dict(zip(sheets["trials"].study, sheets["trials"].trial, strict=True))
    scale = rows.instrument.str.lower().str.split(r"[ ,(-]", n=1).str[0]
    numbers = {c: pd.to_numeric(rows[c], errors="coerce") for c in NUMBERS if c in rows}
    return rows.assign(trial=rows.study.map(trial).fillna(rows.study), scale=scale, **numbers)


def decided(sheets):
    a = sheets["coder_a/outcomes"]
    cells = reconcile.double_coded("outcomes", a, sheets["coder_b/outcomes"])
    cells = reconcile.decide("outcomes", cells, sheets["consensus"])
    table = reconcile.fill_in("outcomes", a, cells[cells.decided_by.ne("")])
    return corrected("outcomes", table, sheets)


def corrected(name, table, sheets):
    """With the corrections that fit; those that do not are named by another rule."""
    corrections = sheets["corrections"]
    unfit = [row for row, _ in reconcile.misfits(name, "outcomes", table, corrections)]
    fixed = reconcile.correct(name, "outcomes", table, corrections.drop(index=unfit))
    return fixed.set_index(table.index)


def warn(rows, which, column, rule, remedy) -> Iterator[dict]:
    """A warning for each row of `which`; remedy: text, or a function of the row."""
    for row in rows[which].to_dict("records"):
        value = ", ".join(f"{row[c]:g}" if isinstance(row[c], float) else str(row[c]) for c in column.split(", "))
        said = remedy if isinstance(remedy, str) else remedy(row)
        yield problem(row["sheet"], row["row"], column, value, rule, "warning", said)


# ---------------------------------------------------------------- figures of one row


def printed_effect_differs(rows: pd.DataFrame) -> Iterator[dict]:
    """An effect, and its SE, printed beside means: the database's come from them, the coders' may be adjusted."""
    known = rows.sheet.eq("database/outcomes")
    rows = rows[(rows.outcome_type.eq("msd") | known) & rows.measure.isin(STANDARDISED)]
    pooled_sd = np.sqrt(
        ((rows.n_arm1 - 1) * rows.sd_arm1**2 + (rows.n_arm2 - 1) * rows.sd_arm2**2)
        / (rows.n_arm1 + rows.n_arm2 - 2).clip(lower=1)
    )
    d = (rows.mean_arm1 - rows.mean_arm2) / pooled_sd
    g, _ = hedges_g(d, rows.n_arm1, rows.n_arm2)
    correction = small_sample_correction(rows.n_arm1 + rows.n_arm2 - 2)
    d = d.fillna(rows.effect / correction)
    _, variance = hedges_g(d, rows.n_arm1, rows.n_arm2)
    _, variance_of_d = hedges_g(d / correction, rows.n_arm1, rows.n_arm2)
    rows = rows.assign(
        effect=np.where(rows.positive_favours.eq("arm2"), -rows.effect, rows.effect),
        g=g * np.where(rows.higher_is_better.eq("yes"), 1, -1),
        own_se=np.sqrt(variance),
    )
    by_means = rows.se.notna() & rows.sheet.eq("database/outcomes") & rows.g.notna()
    limit = np.where(by_means, 0.002, 0.15)  # coders' sources print adjusted effects beside means
    yield from warn(
        rows,
        (rows.g - rows.effect).abs() > limit,
        "effect",
        "printed_effect_differs",
        lambda row: f"means, SDs and n give {row['g']:.3f}: one of the figures is not as in the source",
    )
    by_d = np.sqrt(variance_of_d)
    in_use = [rows.own_se, by_d, correction * by_d]  # by g, by d, by d corrected as g is
    off = np.minimum.reduce([(se - rows.se).abs() for se in in_use])
    rounding = 0.5 * 10.0 ** -rows.se.map(lambda x: len(f"{x:g}".partition(".")[2])).astype(float)
    limit = np.where(by_means, rounding + 0.001 * rows.se, 0.025 * rows.se)
    yield from warn(
        rows,
        off > limit,
        "se",
        "printed_se_differs",
        lambda row: f"the arms' n give {row['own_se']:.3f}: one of them is not as in the source",
    )


def not_centred(rows: pd.DataFrame) -> Iterator[dict]:
    """An effect lies in the middle of its interval, a ratio in the middle of the logarithms."""
    ratio = rows.measure.isin(RATIOS) & (rows[["effect", "ci_low", "ci_high"]] > 0).all(axis=1)
    low, mid, high = (np.log(rows[c].where(ratio)).fillna(rows[c]) for c in ("ci_low", "effect", "ci_high"))
    off = (mid - (low + high) / 2).abs() / (high - low)
    yield from warn(
        rows,
        off > 0.12,
        "ci_low, effect, ci_high",
        "not_centred",
        "the effect is not in the middle of its interval: check the three figures and their signs",
    )


def conclusion_differs(rows: pd.DataFrame) -> Iterator[dict]:
    """What the source concludes against its interval, its p, and the words of the note."""
    rows = rows[rows.contrast.isin(["", "between"])]
    null = np.where(rows.measure.isin(RATIOS), 1, 0)
    by_interval = ((rows.ci_low - null) * (rows.ci_high - null) > 0).where(rows.ci_low.notna() & rows.ci_high.notna())
    by_p = rows.p_value.lt(0.05).where(rows.p_value.notna() & rows.p_operator.eq("="))
    by_p = by_p.mask(rows.p_operator.eq("<") & rows.p_value.le(0.05), True).mask(
        rows.p_operator.eq(">") & rows.p_value.ge(0.05), False
    )
    found = by_interval.fillna(by_p).astype(float)
    said = rows.favours.map({"neither": 0.0, "arm1": 1.0, "arm2": 1.0})
    yield from warn(
        rows,
        found.notna() & said.notna() & found.ne(said),
        "favours",
        "conclusion_differs",
        "the interval or the p say otherwise: check the conclusion and the figures",
    )
    nothing = rows.note.str.contains(NOTHING_FOUND, case=False) & rows.outcome_type.eq("direction_only")
    yield from warn(
        rows,
        nothing & rows.favours.isin(["arm1", "arm2"]),
        "favours",
        "note_differs",
        "the note says that there was no difference: check the conclusion",
    )


def direction_differs(rows: pd.DataFrame) -> Iterator[dict]:
    """The sign of the figures, and which way is better, against whom the source says the result favours."""
    rows = rows[rows.contrast.isin(["", "between"]) & rows.favours.isin(["arm1", "arm2"])]
    told = rows.favours.map({"arm1": 1, "arm2": -1})
    yield from warn(
        rows,
        towards_arm1(rows) * told == -1,
        "favours",
        "direction_differs",
        "the figures point to the other arm: check their signs, the arms and which way is better",
    )


def towards_arm1(rows):
    """1 where the figures of a row favour arm 1, -1 where arm 2; NaN where they do not say."""
    up = np.where(rows.higher_is_better.eq("yes"), 1, -1)
    shares = rows.event_arm1 / rows.totaln_arm1 - rows.event_arm2 / rows.totaln_arm2
    own = (rows.mean_arm1 - rows.mean_arm2).fillna(shares) * up
    printed = np.log(rows.effect.where(rows.effect > 0)).where(rows.measure.isin(RATIOS), rows.effect)
    printed = printed * rows.positive_favours.map({"arm1": 1, "arm2": -1})
    return np.sign(own.fillna(printed))


def conclusion_alone(rows: pd.DataFrame) -> Iterator[dict]:
    """A direction without figures was read by one coder: one that hardly any other row states is read again."""
    stated = rows[rows.outcome_type.eq("direction_only") & rows.favours.isin(["arm1", "arm2"])]
    share = stated.groupby("favours").favours.transform("size") / len(stated)
    yield from warn(
        stated,
        (share < 0.05) & (len(stated) >= 20),
        "favours",
        "conclusion_alone",
        "few rows without figures favour this arm, and one coder read it: check it at the source",
    )


def type_differs(rows: pd.DataFrame) -> Iterator[dict]:
    """A printed effect is the last resort: a row with the arms' own figures is of another type."""
    for kind, columns in (
        ("msd", ["mean_arm1", "sd_arm1", "n_arm1", "mean_arm2", "sd_arm2", "n_arm2"]),
        ("dichotomous", ["event_arm1", "totaln_arm1", "event_arm2", "totaln_arm2"]),
    ):
        whole = rows.outcome_type.eq("precalc") & rows[columns].notna().all(axis=1)
        yield from warn(
            rows,
            whole,
            "outcome_type",
            "type_differs",
            f"the row holds what a row of type {kind} needs: is the printed effect meant to stand for it?",
        )


def arms_unlike(rows: pd.DataFrame) -> Iterator[dict]:
    """Two arms of one trial have SDs and sizes of one order."""
    for kind, limit in (("sd", 1.8), ("n", 3), ("totaln", 3)):
        ratio = np.log(rows[f"{kind}_arm1"] / rows[f"{kind}_arm2"]).abs()
        yield from warn(
            rows,
            ratio > np.log(limit),
            f"{kind}_arm1, {kind}_arm2",
            "arms_unlike",
            f"the two arms differ by more than {limit} times: check both at the source",
        )
    apart = (rows.mean_arm1 - rows.mean_arm2).abs() / np.minimum(rows.sd_arm1, rows.sd_arm2)
    yield from warn(
        rows,
        apart > 1.5,
        "mean_arm1, mean_arm2",
        "arms_unlike",
        "the means are more than 1.5 SDs apart: check both at the source",
    )


# ---------------------------------------------------------------- rows against other rows


def scale_elsewhere(rows: pd.DataFrame, words: Mapping[str, Sequence[str]], turned_words: str) -> Iterator[dict]:
    """One scale has one direction and one domain, and means and SDs of one order, in all trials.

    words: pattern in an instrument's name -> the domains that it can measure; turned_words: pattern of instruments that
    count the other way than their domain (the codebook's domain_words and counted_the_other_way).
    """
    named = rows[rows.instrument.ne("")]
    for column in ("higher_is_better", "outcome_domain"):
        by_scale = named[named[column].ne("")].groupby(named.instrument.str.lower())[column]
        counts = by_scale.value_counts().rename("n").reset_index()
        usual = counts.sort_values("n").groupby("instrument").last()
        lower = named.instrument.str.lower()
        lone = named[column].ne(lower.map(usual[column])) & lower.map(usual.n).ge(2) & named[column].ne("")
        yield from warn(
            named,
            lone,
            column,
            "scale_elsewhere",
            lambda row, usual=usual, column=column: (
                f"{row['instrument']} is {usual.at[row['instrument'].lower(), column]} in the other rows: check it"
            ),
        )
    meant = {name: domains_by_name(name, words) for name in named.instrument.unique()}
    other = [
        bool(meant[name]) and domain not in meant[name]
        for name, domain in zip(named.instrument, named.outcome_domain, strict=True)
    ]
    yield from warn(
        named,
        np.array(other, dtype=bool),
        "outcome_domain",
        "scale_elsewhere",
        lambda row: f"by its name, {row['instrument']} measures {' or '.join(meant[row['instrument']])}: check it",
    )
    way = rows[rows.higher_is_better.isin(["yes", "no"])]
    of_domain = way.groupby("outcome_domain").higher_is_better.transform("size")
    alike = way.groupby(["outcome_domain", "higher_is_better"]).higher_is_better.transform("size")
    turned = way.instrument.str.contains(turned_words, case=False)
    yield from warn(
        way,
        (of_domain >= 5) & (alike <= 0.1 * of_domain) & ~turned,
        "outcome_domain, higher_is_better",
        "scale_elsewhere",
        "nearly all other rows of this domain are better the other way: check both",
    )
    typed = rows[rows.recovery_type.ne("")]
    usual_type = typed.groupby("outcome_domain").recovery_type.transform(lambda x: x.mode().iloc[0])
    yield from warn(
        typed,
        typed.recovery_type.ne(usual_type),
        "recovery_type, outcome_domain",
        "scale_elsewhere",
        "other rows of this domain have another type of recovery: check both",
    )
    raw = rows[rows.outcome_type.eq("msd")].assign(
        sd=lambda x: x[["sd_arm1", "sd_arm2"]].max(axis=1), mean=lambda x: (x.mean_arm1 + x.mean_arm2) / 2
    )
    raw = raw[raw.groupby("scale").trial.transform("nunique") >= 3]
    usual_sd, usual_mean = (others_median(raw, column) for column in ("sd", "mean"))
    yield from warn(
        raw,
        raw.sd > 4 * usual_sd,
        "sd_arm1, sd_arm2",
        "scale_elsewhere",
        "other trials have SDs less than a quarter of these on this scale: check both",
    )
    yield from warn(
        raw,
        (raw["mean"] - usual_mean).abs() > 6 * usual_sd,
        "mean_arm1, mean_arm2",
        "scale_elsewhere",
        "other trials have means of another order on this scale: check both",
    )


def domains_by_name(instrument: str, words: Mapping[str, Sequence[str]]) -> list[str]:
    """What it can measure; a name with words of several domains can measure any of these."""
    found = [domains for pattern, domains in words.items() if re.search(pattern, instrument, re.I)]
    return sorted(set().union(*found))


def others_median(rows, column):
    """The median over the rows of other trials on the same scale."""
    others = (rows[column][rows.scale.eq(r.scale) & rows.trial.ne(r.trial)].median() for r in rows.itertuples())
    return pd.Series(others, rows.index, dtype=float)


def study_elsewhere(rows: pd.DataFrame) -> Iterator[dict]:
    """Within a study, arms keep their size from row to row, SEs their order, and one week is one time point."""
    for column, limit in (("n_arm1", 1.5), ("n_arm2", 1.5), ("totaln_arm1", 1.5), ("totaln_arm2", 1.5), ("se", 1.5)):
        part = rows[
            rows[column].gt(0) & rows.outcome_type.ne("direction_only") & ~rows.measure.isin(["MD", "beta", *RATIOS])
        ]
        typical = part.groupby("study")[column].transform("median")
        far = np.log(part[column] / typical).abs() > np.log(limit)
        yield from warn(
            part, far, column, "study_elsewhere", f"other rows of the study differ by more than {limit} times: check it"
        )
    dated = rows[rows.time_weeks.notna()]
    usual = dated.groupby(["study", "time_weeks"]).time_point.transform(lambda x: x.mode().iloc[0])
    yield from warn(
        dated,
        dated.time_point.ne(usual),
        "time_point",
        "study_elsewhere",
        "other rows of the study call this week by the other time point: check both",
    )


def sources_differ(rows: pd.DataFrame) -> Iterator[dict]:
    """The database's figures against what the coders' source concludes on the same domain, trial and time point."""
    same = ["trial", "outcome_domain", "time_point"]
    known = rows.sheet.eq("database/outcomes")
    coded = rows[~known & rows.contrast.isin(["", "between"]) & rows.favours.isin(["arm1", "arm2"])]
    alike = coded[coded.groupby(same).favours.transform("nunique").eq(1)].drop_duplicates(same)
    told = alike.set_index(same)[["favours", "row_id"]].set_axis(["told", "by"], axis=1)
    both = rows[known].join(told, on=same)
    against = towards_arm1(both) * both.told.map({"arm1": 1, "arm2": -1}) == -1
    yield from warn(
        both,
        against,
        "study",
        "sources_differ",
        lambda row: (
            f"the figures point away from {row['told']}, for which {row['by']} concludes: check the signs of both"
        ),
    )


def signs_elsewhere(rows: pd.DataFrame) -> Iterator[dict]:
    """A source prints its effects one way round, and those of one scale in one study and week hardly differ in sign."""
    signed = rows[rows.positive_favours.isin(["arm1", "arm2"])]
    of_source = signed.groupby("source_url").positive_favours.transform("size")
    alike = signed.groupby(["source_url", "positive_favours"]).positive_favours.transform("size")
    yield from warn(
        signed,
        (of_source >= 5) & (alike <= 0.1 * of_source),
        "positive_favours",
        "signs_elsewhere",
        "nearly all other effects of this source count the other way: check which arm a positive one favours",
    )
    printed = rows[rows.outcome_type.eq("precalc") & rows.measure.isin(STANDARDISED) & rows.scale.ne("")]
    way = towards_arm1(printed)
    same = [printed[c].astype(str) for c in ("sheet", "study", "scale", "outcome_domain", "time_point", "time_weeks")]
    yield from warn(
        printed,
        way.groupby(same).transform("nunique").gt(1) & way.ne(0),
        "effect",
        "signs_elsewhere",
        "another effect on this scale, at the same time in the study, has the other sign: check both",
    )


def figures_twice(rows: pd.DataFrame) -> Iterator[dict]:
    """The same figures in two rows: a study, or a row, that was extracted twice."""
    figures = rows[[c for c in reconcile.FIGURES if c in rows and c not in ("n_arm1", "n_arm2", "p_value")]]
    rows = rows[(figures.notna().sum(axis=1) >= 2) & rows.outcome_type.ne("direction_only")]
    same = rows[["scale", "time_point", *figures]].map(str).agg("|".join, axis=1)
    first = rows.groupby(same).row_id.transform("first")
    rows = rows.assign(first=first)
    yield from warn(
        rows,
        rows.row_id.ne(first),
        "row_id",
        "figures_twice",
        lambda row: f"the same figures as {row['first']}: keep one of the rows",
    )


def row_ids_run_on(sheets: Sheets) -> Iterator[dict]:
    """Rows are numbered in turn: a few numbers left out are rows that were lost; a wide jump begins a new series."""
    for name in ("coder_a/outcomes", "database/outcomes"):
        ids = sheets[name].row_id
        parts = ids.str.extract(r"^(\D*)0*(\d{1,9})$").dropna()
        number = parts[1].astype(int).sort_values()
        step = number.groupby(parts[0]).diff()
        for row in number.index[step.between(2, 6)]:
            yield problem(
                name,
                row,
                "row_id",
                ids[row],
                "row_ids_run_on",
                "warning",
                f"{step[row] - 1:g} before it not used: if rows were lost, bring them back; else number on from here",
            )


def registration_twice(sheets: Sheets) -> Iterator[dict]:
    """Two studies of one registration, or one named in the other's note as the same, are one trial."""
    trial = dict(zip(sheets["trials"].study, sheets["trials"].trial, strict=True))
    known = [(name, sheets[name]) for name in ("coder_a/studies", "database/studies")]
    rows = pd.concat([t.assign(sheet=n, row=t.index) for n, t in known], ignore_index=True).fillna("")
    rows = rows.drop_duplicates("study")
    rows = rows.assign(trial=rows.study.map(trial).fillna(rows.study))
    numbers = rows[rows.registration.str.contains(r"\d{4}")]
    first = numbers.groupby(numbers.registration.str.upper().str.strip()).trial.transform("first")
    yield from warn(
        numbers,
        numbers.trial.ne(first),
        "registration",
        "registration_twice",
        "another trial has this registration: join the two in trials.csv, or mend it",
    )
    pages = rows[rows.sheet.eq("coder_a/studies") & rows.source_url.ne("")]
    first = pages.groupby("source_url").trial.transform("first")
    yield from warn(
        pages,
        pages.trial.ne(first),
        "source_url",
        "source_twice",
        "another trial was read at this address: keep one study, or join the two in trials.csv",
    )
    of = dict(zip(rows.study, rows.trial, strict=True))
    named = rows.note.str.findall(KEY)
    other = [
        next((x for x in names if x in of and of[x] != own), "") for names, own in zip(named, rows.trial, strict=True)
    ]
    rows = rows.assign(note=other)
    yield from warn(
        rows,
        rows.note.ne(""),
        "note",
        "study_in_note",
        "the note names this other study: if the two are one trial, join them in trials.csv",
    )


def third_value(sheets: Sheets) -> Iterator[dict]:
    """A decision that follows neither coder."""
    rulings = sheets["consensus"]
    neither = ~reconcile.same(rulings.value, rulings.a) & ~reconcile.same(rulings.value, rulings.b)
    silent = rulings.value.eq("") & (rulings.a.isin(reconcile.SILENT) | rulings.b.isin(reconcile.SILENT))
    for row, value in rulings.value[neither & ~silent].items():
        yield problem(
            "consensus",
            row,
            "value",
            value,
            "third_value",
            "warning",
            f"neither coder has this for {rulings.at[row, 'key']}, {rulings.at[row, 'column']}: check the decision",
        )


ROW_RULES = (
    printed_effect_differs,
    not_centred,
    conclusion_differs,
    direction_differs,
    conclusion_alone,
    type_differs,
    arms_unlike,
    study_elsewhere,
    sources_differ,
    signs_elsewhere,
    figures_twice,
)


def implausible(sheets: Sheets, codebook: dict) -> Iterator[dict]:
    """What every rule of this module finds."""
    rows = outcome_rows(sheets)
    with np.errstate(all="ignore"):  # figures that other rules call impossible
        for rule in ROW_RULES:
            yield from rule(rows)
        yield from scale_elsewhere(rows, codebook["domain_words"], codebook["counted_the_other_way"])
    yield from row_ids_run_on(sheets)
    yield from registration_twice(sheets)
    yield from third_value(sheets)
