"""The frame of the app: how every page looks, which pages there are, and where they lie for links to them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent
_BRAND, _PAGES = _HERE / "brand", _HERE / "pages"
_ICON = _BRAND / "icon.svg"

# For st.page_link and st.switch_page. Whole paths: the app's script may lie elsewhere, see `relaxdesign.data`.
DESIGN = str(_PAGES / "design.py")
EVALUATE = str(_PAGES / "evaluate.py")
MATERIALS = str(_PAGES / "materials.py")
CAMPAIGNS = str(_PAGES / "campaigns.py")
LIBRARY = str(_PAGES / "library.py")
METHOD = str(_PAGES / "method.py")
SERVER = str(_PAGES / "server.py")


def set_up_page() -> None:
    """Sets title, icon, style and logo. Streamlit wants it first, and it paints while the rest is imported."""
    st.set_page_config(page_title="RelaxDesign", page_icon=_ICON, layout="wide", initial_sidebar_state=340)
    st.html(_BRAND / "style.css")
    st.logo(_BRAND / "logo.svg", icon_image=_ICON, size="large")


def show_page() -> None:
    """Draws the navigation and the page that is chosen in it; to who has not signed in, how to do that."""
    from relaxdesign.ui import server  # after the page is set up, which paints first
    from relaxdesign.ui.components import account

    server.warm_up()
    if not account.draw():
        return
    st.navigation(
        [
            st.Page(DESIGN, title="Design", icon=":material/grain:", default=True),
            st.Page(EVALUATE, title="Evaluate", icon=":material/science:"),
            st.Page(MATERIALS, title="Materials", icon=":material/category:"),
            st.Page(CAMPAIGNS, title="Campaigns", icon=":material/grid_view:"),
            st.Page(LIBRARY, title="Library", icon=":material/folder_open:"),
            st.Page(METHOD, title="Method", icon=":material/menu_book:"),
            st.Page(SERVER, title="Server", icon=":material/dns:"),
        ],
        position="top",
    ).run()
