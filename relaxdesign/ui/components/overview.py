"""The candidates of a run in three views, linked by what is chosen, and the chosen ones side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from relaxdesign.server import Snapshot
from relaxdesign.study.result import Design
from relaxdesign.ui import server, units
from relaxdesign.ui.colours import ModulusScale
from relaxdesign.ui.components import candidates, charts, comparison, measures, pictures
from relaxdesign.ui.components.measures import Measure
from relaxdesign.ui.text import plural

VIEWS = {"Cards": ":material/grid_view:", "Table": ":material/table:", "Charts": ":material/scatter_plot:"}
MOST_COMPARED = 4
SHOWN_AS, INSPECTED_AS = "candidates-view", "inspector-view"
"""Keys of the controls that choose how all candidates, and how the one that is inspected, are looked at."""
COMPARE = "Compare"
"""The view of the inspector that shows the designs that are marked, side by side."""


@dataclass(frozen=True)
class Selection:
    """Which designs of a run are compared and which one is inspected: kept for the session."""

    run_id: str

    @property
    def marked(self) -> tuple[int, ...]:
        return tuple(st.session_state.get(f"marked-{self.run_id}", ()))

    def replace(self, indices: Sequence[int]) -> None:
        """Compares these; of too many, the last ones. The inspector shows them as soon as there are two."""
        kept, before = list(indices)[-MOST_COMPARED:], len(self.marked)
        st.session_state[f"marked-{self.run_id}"] = kept
        if len(kept) >= 2 and len(kept) > before:
            st.session_state[INSPECTED_AS] = COMPARE

    def toggle(self, index: int) -> None:
        rest = [marked for marked in self.marked if marked != index]
        self.replace(rest if index in self.marked else [*rest, index])

    def show(self, index: int) -> None:
        """Inspects a design and brings it into view."""
        st.session_state[f"chosen-{self.run_id}"] = index
        st.session_state[f"chosen-{self.run_id}-token"] = self.token + 1
        if st.session_state.get(INSPECTED_AS) == COMPARE:
            del st.session_state[INSPECTED_AS]

    @property
    def token(self) -> int:
        """How often a design was chosen."""
        return st.session_state.get(f"chosen-{self.run_id}-token", 0)

    def shown(self, designs: Sequence[Design]) -> Design | None:
        """The design that is inspected: the best one until another is chosen."""
        index = st.session_state.get(f"chosen-{self.run_id}")
        verified = {design.index: design for design in designs if design.ok}
        return verified.get(-1 if index is None else index) or candidates.best(designs)


def designs(snapshot: Snapshot, selection: Selection, shown: int | None) -> None:
    """All candidates as cards, as a table or in charts."""
    known = measures.known(snapshot.designs)
    left, right = st.columns([1.5, 1], vertical_alignment="bottom")
    view = left.segmented_control(
        "View of the candidates", list(VIEWS), format_func=lambda name: f"{VIEWS[name]} {name}", default="Cards",
        required=True, key=SHOWN_AS, persist_state="session", label_visibility="collapsed",
    )  # fmt: skip
    by = right.selectbox(
        "Sort by", ["Number", *known], key=f"sort-{snapshot.run_id}", label_visibility="collapsed",
        format_func="By {}".format, disabled=view == "Charts",
    )  # fmt: skip
    shown_designs = measures.ordered(snapshot.designs, known.get(by))
    if view == "Table":
        _table(shown_designs, selection, by)
    elif view == "Charts":
        _charts([design for design in snapshot.designs if design.ok], known, selection)
    else:
        choices = candidates.Choices(shown, selection.marked, selection.show, selection.toggle)
        candidates.gallery(snapshot.run_id, shown_designs, choices, ModulusScale.of(snapshot.request))


def _charts(designs: Sequence[Design], known: dict[str, Measure], selection: Selection) -> None:
    if len(known) < 2:
        st.caption("There is no verified design to draw.")
        return
    x_column, y_column, hint = st.columns([1, 1, 1.6], vertical_alignment="bottom")
    titles = list(known)
    x = known[x_column.selectbox("Across", titles, index=1, key=f"x-{selection.run_id}")]
    y = known[y_column.selectbox("Upwards", titles, key=f"y-{selection.run_id}")]
    hint.caption("Press a point, or draw a box around up to four, to compare them.")
    key = f"scatter-{selection.run_id}"

    def choose() -> None:
        points = st.session_state[key]["selection"]["points"]
        selection.replace([int(np.ravel(point["customdata"])[0]) for point in points])

    figure = charts.scatter(designs, x, y, selection.marked)
    st.plotly_chart(
        figure, key=key, on_select=choose, selection_mode=("points", "box"), config={"displaylogo": False},
        alt=f"{y.title} against {x.title} of {plural(len(designs), 'design')}",
    )  # fmt: skip
    st.plotly_chart(
        charts.parallel(designs, list(known.values()), selection.marked),
        key=f"parallel-{selection.run_id}",
        config={"displayModeBar": False},
        alt=f"Parallel axes: {', '.join(titles)}",
    )


def side_by_side(snapshot: Snapshot, selection: Selection) -> None:
    """The designs that are marked, side by side."""
    marked = [design for index in selection.marked for design in snapshot.designs if design.index == index]
    scale = ModulusScale.of(snapshot.request)
    with st.container(key="comparison"):
        for column, design in zip(st.columns(max(2, len(marked))), marked, strict=False):
            with column:
                pictures.show(design, f"card-{snapshot.run_id}-{design.index}", scale)
                st.markdown(f":gray[{design.index + 1}] {candidates.headline(design)}")
                st.button(
                    "Take out", key=f"uncompare-{snapshot.run_id}-{design.index}", icon=":material/close:",
                    type="tertiary", on_click=selection.toggle, args=(design.index,),
                )  # fmt: skip
        if len(marked) == 1:
            st.caption("Press Compare on a second card to see both side by side.")
        else:
            run = server.store().run(snapshot.run_id)
            table = comparison.table([(run, design) for design in marked])
            table.columns = [f"Candidate {design.index + 1}" for design in marked]
            # The inspector shows the whole stiffness and every stage.
            st.table(table[~table.index.str.fullmatch(r"C\d\d|K, (?!realised).*")])


def _table(designs: Sequence[Design], selection: Selection, order: str) -> None:
    """All numbers; the rows chosen are compared. order: by what they are sorted, for ticks belong to places in it."""
    key = f"numbers-{selection.run_id}-{order}"

    def choose() -> None:
        chosen = [designs[row].index for row in st.session_state[key]["selection"]["rows"] if designs[row].ok]
        kept = [index for index in selection.marked if index in chosen]
        selection.replace([*kept, *(index for index in chosen if index not in kept)])

    # Designs are also marked in cards, in charts and beside each other.
    marked = [row for row, design in enumerate(designs) if design.index in selection.marked]
    ticked = st.session_state[key]["selection"]["rows"] if key in st.session_state else []
    if sorted(ticked) != marked:
        st.session_state[key] = {"selection": {"rows": marked}}
    st.dataframe(
        candidates.stage_table(designs),
        hide_index=True,
        column_config=candidates.stage_columns(),
        placeholder="–",
        key=key,
        on_select=choose,
        selection_mode="multi-row",
    )
    st.caption(
        f"K in {units.unit_of('GPa')}. Relaxed: any material per voxel, as sampled. Two phases and catalogue "
        "materials: mean over fresh random placements. Refined: after materials, fraction and size were adjusted. "
        "Realised: the one cell you download, solved in double precision."
    )
