"""RelaxDesign: inverse design of two-phase composites with guided diffusion and exact FEM gradients."""

from relaxdesign.version import __version__

__all__ = ["__version__"]
