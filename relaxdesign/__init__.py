"""RelaxDesign: inverse design of two-phase composites with guided diffusion and exact FEM gradients."""

__version__ = "0.1.0"
