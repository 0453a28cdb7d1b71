"""Entry point of the app, which Streamlit runs: ``make app``, ``relaxdesign app`` or ``streamlit run app.py``."""

from relaxdesign.ui import navigation

navigation.set_up_page()
navigation.show_page()
