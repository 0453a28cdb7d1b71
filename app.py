"""The script of the app's pages, which Streamlit runs for every visitor; ``server.py`` serves it."""

from relaxdesign.ui import navigation

navigation.set_up_page()
navigation.show_page()
