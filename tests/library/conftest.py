"""All that the library's tests ask of a database they ask of SQLite and of PostgreSQL."""

from __future__ import annotations


def pytest_generate_tests(metafunc):
    if "database_url" in metafunc.fixturenames:
        metafunc.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
