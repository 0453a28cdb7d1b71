"""Who is signed in, and the way to sign in, where the server has a login."""

from __future__ import annotations

import streamlit as st

from relaxdesign.ui import visitor
from relaxdesign.ui.text import escape


def draw() -> bool:
    """The account in the sidebar; False, after a page that says how to sign in, while nobody has."""
    if not visitor.login().known:
        return True
    viewer_name = _name()
    if not viewer_name:
        _ask()
        return False
    with st.sidebar.popover(escape(viewer_name), icon=":material/person:", width="stretch", key="account"):
        st.toggle(
            "New runs are private",
            st.session_state.get(visitor.PRIVATE, False),
            key="account-private",
            on_change=_keep,
            help="Seen by you and administrators only. Each run's own setting: Library, More, Name, tags, notes.",
        )
        if visitor.login().oidc:
            st.button("Sign out", icon=":material/logout:", key="sign-out", on_click=st.logout, width="stretch")
    return True


def _name() -> str:
    return visitor.viewer().name if visitor.signed_in() else ""


def _keep() -> None:
    st.session_state[visitor.PRIVATE] = st.session_state["account-private"]


def _ask() -> None:
    st.markdown("## RelaxDesign")
    if visitor.login().oidc:
        st.markdown("This server keeps the runs of its users apart: sign in to see yours.")
        st.button("Sign in", type="primary", icon=":material/login:", key="sign-in", on_click=st.login)
    else:
        st.error("The proxy in front of this server named no user. Open its address, not this one.")
