"""The version, in one place: the package, the wheel and every file that RelaxDesign writes take it from here."""

__version__ = "0.2.0"
