"""Parts of the soak: what users do, what goes wrong, and what is watched meanwhile."""
