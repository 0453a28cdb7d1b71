"""The browser learns from a file that what it waits for is there."""

from concurrent.futures import Future

from relaxdesign.ui import waiting


def test_a_file_appears_when_the_work_is_done_and_old_ones_go(monkeypatch, tmp_path):
    monkeypatch.setattr(waiting._publish, "__defaults__", (tmp_path,))
    future: Future = Future()
    name = waiting._marker(future)
    assert waiting._marker(future) == name and not list(tmp_path.iterdir())
    future.set_result(None)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    monkeypatch.setattr(waiting, "KEPT_S", -1.0)
    waiting._publish("another")
    assert [file.name for file in tmp_path.iterdir()] == ["another"]
