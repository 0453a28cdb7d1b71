"""Files are whole or not there, and a full disk is told with the file and what to do."""

from __future__ import annotations

import os

import pytest

from relaxdesign.export import write_result
from relaxdesign.files import TO_GO_ON, NoSpace, append_whole, check_space, write_whole


def test_a_full_disk_leaves_the_earlier_file_and_nothing_half_written(small_disk):
    disk, fill = small_disk
    file = disk / "table.csv"
    write_whole(file, b"earlier")
    fill(left=8192)
    with pytest.raises(NoSpace, match="No space left") as error:
        write_whole(file, b"x" * 2**20)
    assert str(file) in str(error.value) and "make room" in str(error.value)
    assert file.read_bytes() == b"earlier"
    assert {path.name for path in disk.iterdir()} == {"table.csv", "ballast"}


def test_a_result_that_does_not_fit_names_its_file(small_disk, make_result):
    disk, fill = small_disk
    fill(left=16384)
    with pytest.raises(NoSpace) as error:
        write_result(make_result(), disk / "out")
    assert str(disk / "out" / "design-01") in str(error.value)
    assert not list(disk.rglob("*.partial"))


def test_space_is_asked_for_before_a_run_and_while_it_is_computed(small_disk, monkeypatch):
    disk, fill = small_disk
    monkeypatch.setenv("RELAXDESIGN_FREE_MB", "2")
    fill(left=2**20)
    check_space([disk / "not" / "made"], "write elsewhere", TO_GO_ON)
    with pytest.raises(NoSpace, match=r"1\.0 MB are free .* needs 2 .*RELAXDESIGN_FREE_MB.* or write elsewhere"):
        check_space([disk / "not" / "made"], "write elsewhere")
    fill(left=2**18)
    with pytest.raises(NoSpace, match=r"needs 0\.5"):
        check_space([disk], "write elsewhere", TO_GO_ON)
    monkeypatch.setenv("RELAXDESIGN_FREE_MB", "some")
    with pytest.raises(ValueError, match="whole number"):
        check_space([disk], "write elsewhere")


def test_what_does_not_fit_is_not_appended_in_part(small_disk):
    disk, fill = small_disk
    with (disk / "journal").open("ab", buffering=0) as journal:
        append_whole(journal, b"first\n")
        fill()
        with pytest.raises(NoSpace, match="journal"):
            append_whole(journal, b"x" * 2**20)
        (disk / "ballast").unlink()
        append_whole(journal, b"second\n")
    assert (disk / "journal").read_bytes() == b"first\nsecond\n"


def test_errors_of_other_kinds_name_the_file_that_was_meant(tmp_path):
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        write_whole(tmp_path, b"")
    with pytest.raises(FileNotFoundError, match="missing/file"):
        write_whole(tmp_path / "missing" / "file", b"")


def test_links_and_devices_stay_what_they_are(tmp_path):
    file, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to(file)
    write_whole(link, b"content")
    assert link.is_symlink() and file.read_bytes() == b"content"
    write_whole(os.devnull, b"content")
    assert not os.path.isfile(os.devnull)
