"""Direction audit: where signs and conclusions disagree, and the effects as they would be without."""

import pandas as pd

CONFLICTS = {
    "database_sign_conflict": "the database prints the other sign than its own means give",
    "conclusion_conflict": "the figures favour one arm, the source's conclusion the other",
}
IMPROVEMENT = "printed as improvement on a scale where lower is better"
SHOWN = ["row_id", "study", "outcome_domain", "instrument", "effect", "printed_effect", "favours"]


def has_flag(effects: pd.DataFrame, flag: str) -> pd.Series:
    return effects["flags"].str.split("; ").map(lambda flags: flag in flags)


def direction_conflicts(effects: pd.DataFrame) -> pd.DataFrame:
    """Rows with a conflict about direction, each with what it is; effects as `effects.effect_sizes` returns them."""
    found = [effects[has_flag(effects, flag)].assign(conflict=text) for flag, text in CONFLICTS.items()]
    return pd.concat(found)[[*SHOWN, "conflict"]].reset_index(drop=True)


def signs_meaning_improvement(effects: pd.DataFrame) -> pd.DataFrame:
    """Printed differences whose plus sign means that peer support did better although a lower score is better."""
    improved = (
        effects.outcome_type.eq("precalc")
        & effects.source.eq("coder")
        & effects.measure.isin(["MD", "SMD", "g", "d"])
        & effects.higher_is_better.eq("no")
        & effects.positive_favours.eq("arm1")
    )
    return effects.loc[improved, SHOWN].assign(conflict=IMPROVEMENT).reset_index(drop=True)


def as_the_database_prints(effects: pd.DataFrame) -> pd.DataFrame:
    """Effects with the database's sign wherever it contradicts its own means."""
    turned = has_flag(effects, "database_sign_conflict")
    return effects.assign(effect=effects.effect.where(~turned, -effects.effect))


def without_conflicts(effects: pd.DataFrame) -> pd.DataFrame:
    return effects[~effects.row_id.isin(direction_conflicts(effects).row_id)]
