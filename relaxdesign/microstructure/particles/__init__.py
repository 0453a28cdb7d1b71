"""Equal particles placed at random in a matrix: discs in 2D, spheres in 3D."""

from relaxdesign.microstructure.particles.family import PARTICLES, Particles

__all__ = ["PARTICLES", "Particles"]
