"""Particles placed at random in a matrix, discs in 2D, spheres in 3D: equal, as powders are, coated, of two kinds."""

from relaxdesign.microstructure.particles.coated import COATED, Coated
from relaxdesign.microstructure.particles.family import PARTICLES, Particles
from relaxdesign.microstructure.particles.hybrid import HYBRID, Hybrid
from relaxdesign.microstructure.particles.powder import LOG_NORMAL, TWO_SIZES, Powder

__all__ = ["COATED", "HYBRID", "LOG_NORMAL", "PARTICLES", "TWO_SIZES", "Coated", "Hybrid", "Particles", "Powder"]
