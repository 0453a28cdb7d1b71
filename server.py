"""The app with what stands in front of it: ``make app``, ``relaxdesign app`` or ``streamlit run server.py``."""

import streamlit as st
from starlette.middleware import Middleware

from relaxdesign.ui.gateway import Gateway, lifespan

app = st.App("app.py", middleware=[Middleware(Gateway)], lifespan=lifespan)
