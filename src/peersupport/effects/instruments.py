"""One instrument under several names: what a printed name stands for."""

import re

WHOLE_SCALE = re.compile(r"^(total|overall|[<>≥≤]|$)")


def name_instrument(text: str, aliases: dict[str, list[str]]) -> tuple[str, str]:
    """(instrument, part) of a printed name; aliases: canonical name to what printed names begin with."""
    printed = text.strip().lower()
    starts = [(start, name) for name, names in aliases.items() for start in names if printed.startswith(start)]
    if starts:
        start, name = max(starts, key=lambda pair: len(pair[0]))
        rest = printed[len(start) :]
    else:
        name = re.split(r"[,(]| - ", printed)[0].strip()
        rest = printed[len(name) :]
    part = rest.strip(" ,-()")
    return name, "" if WHOLE_SCALE.match(part) else part
