"""Parts of ``benchmarks/evaluator.py``.

``cases`` says what is measured, ``cells`` makes the cells and checks the answers, ``ours`` and ``others`` (with
``torch_fem``) are the solvers, ``measure`` runs one case in a process of its own, ``analysis``, ``report`` and
``figures`` turn the JSON into ``docs/benchmarks.md``.
"""
