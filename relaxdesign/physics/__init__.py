"""What is computed of a cell: quantities, the evaluator, bounds; `fem` is the solver."""
