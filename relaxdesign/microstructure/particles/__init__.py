"""Particles placed at random in a matrix, discs in 2D, spheres in 3D: equal ones, and as powders are."""

from relaxdesign.microstructure.particles.family import PARTICLES, Particles
from relaxdesign.microstructure.particles.powder import LOG_NORMAL, TWO_SIZES, Powder

__all__ = ["LOG_NORMAL", "PARTICLES", "TWO_SIZES", "Particles", "Powder"]
