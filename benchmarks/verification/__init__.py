"""Verification of the evaluator against known answers; writes docs/verification.md (``make verification``).

Every study is a function with its sizes as arguments: its docstring is the text of its section, its return value
a frozen `Study` of numbers. Nothing here is timed. Moduli in GPa, conductivity in W/(m K), lengths in cell edges.
"""
