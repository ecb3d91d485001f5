"""Every bad input: exit code 2, one line that names the thing, nothing written."""

from __future__ import annotations

import errno
import os

import pytest

import whence as wh
from tests.cli.bad_input import CASES, good_table, run


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_clear_line(case, tmp_path):
    arguments = case.make(tmp_path)
    before = sorted(tmp_path.iterdir())
    finished = run(arguments, tmp_path)
    lines = finished.stderr.strip().splitlines()
    assert finished.returncode == 2, finished.stderr
    assert len(lines) == 1, finished.stderr
    assert lines[0].startswith("whence: ")
    assert "Traceback" not in finished.stderr
    assert finished.stdout == ""
    for words in case.says:
        assert words.lower() in lines[0].lower()
    assert sorted(tmp_path.iterdir()) == before, "something was left behind"


def test_full_disk_leaves_nothing(tmp_path, monkeypatch):
    study = wh.analyze(good_table(), "dose", "cure", budget="5s")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(wh.DataError, match="No space left"):
        study.report(tmp_path / "report.html")
    with pytest.raises(wh.DataError, match="No space left"):
        study.save(tmp_path / "study.whence")
    assert list(tmp_path.iterdir()) == []
