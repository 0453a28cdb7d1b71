"""The colours of pages and exported figures: both phases, and categories that every eye can tell apart."""

# The ends of cividis, a little softened: dark is the matrix and bright the particles, also in greyscale.
MATRIX = "#3B4D72"
PARTICLE = "#E6CF5B"

# Okabe & Ito (2008).
DISTINCT = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8F8F3A", "#7A7A8C")
