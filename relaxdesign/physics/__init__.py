"""What is computed of a cell: one module per physics, their registry, the evaluator, bounds; `fem` is the solver."""
