"""Entry point of the app: page setup and navigation. Start it with ``make app``."""

from pathlib import Path

import streamlit as st

BRAND = Path(__file__).parent / "relaxdesign" / "ui" / "brand"

st.set_page_config(page_title="RelaxDesign", page_icon=BRAND / "icon.svg", layout="wide", initial_sidebar_state=340)
st.html(BRAND / "style.css")
st.logo(BRAND / "logo.svg", icon_image=BRAND / "icon.svg", size="large")

from relaxdesign.ui import server  # noqa: E402  (after the page setup, which paints first)

server.warm_up()
st.navigation(
    [
        st.Page("relaxdesign/ui/pages/design.py", title="Design", icon=":material/grain:", default=True),
        st.Page("relaxdesign/ui/pages/evaluate.py", title="Evaluate", icon=":material/science:"),
        st.Page("relaxdesign/ui/pages/campaigns.py", title="Campaigns", icon=":material/grid_view:"),
        st.Page("relaxdesign/ui/pages/library.py", title="Library", icon=":material/folder_open:"),
        st.Page("relaxdesign/ui/pages/method.py", title="Method", icon=":material/menu_book:"),
    ],
    position="top",
).run()
