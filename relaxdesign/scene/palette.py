"""The colours of pages and exported figures: phases, and categories, that every eye can tell apart."""

PHASES = ("#3B4D72", "#E6CF5B", "#661100", "#9D8DF1", "#D9E4EC", "#2E8B57", "#D55E00", "#CC79A7")
"""Of phases by their labels. The first two are the ends of cividis, a little softened: the first phase is dark and the
second bright, also in greyscale. The others were chosen to be as far as can be from these and from each other for all
kinds of colour vision (by the simulation of Machado et al. 2009, doi:10.1109/TVCG.2009.113)."""

# Okabe & Ito (2008).
DISTINCT = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8F8F3A", "#7A7A8C")

CATEGORIES = (
    "#808080", "#0080FF", "#663366", "#B3CCB3", "#E6B3E6", "#B366B3", "#66E600", "#3300E6", "#FF8066", "#803333",
    "#990000", "#E63300", "#661AB3",
)  # fmt: skip
"""Of the categories of materials, in the alphabet's order. They are as far as can be from each other
for all kinds of colour vision (see `PHASES`) and are seen on light and dark pages."""

VOID, SOLID = "#DDE4EC", "#4A7DB5"
"""Of a void, where it is drawn at all, and of the one solid beside it: it stands out from light pages and from dark."""


def phase_colours(count: int, void: int | None = None) -> tuple[str, ...]:
    """A colour for each of so many phases; after eight they repeat. void: which of them is one, if any."""
    colours = [PHASES[phase % len(PHASES)] for phase in range(count)]
    if void is not None:
        colours[void] = VOID
        if count == 2:
            colours[1 - void] = SOLID
    return tuple(colours)
