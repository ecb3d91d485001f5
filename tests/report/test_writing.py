"""Files: whole or not at all."""

from __future__ import annotations

import errno
import os

import pytest

from whence.errors import DataError, ParameterError
from whence.report import render_html, render_markdown, write_report


def test_the_ending_decides_the_format(effect_study, tmp_path):
    page = write_report(effect_study, tmp_path / "report.html")
    text = write_report(effect_study, str(tmp_path / "report.MD"))
    assert page.read_text(encoding="utf-8") == render_html(effect_study)
    assert text.read_text(encoding="utf-8") == render_markdown(effect_study)
    chosen = write_report(effect_study, tmp_path / "report.txt", format="md")
    assert chosen.read_text(encoding="utf-8") == render_markdown(effect_study)


@pytest.mark.parametrize("name", ["report.pdf", "report", "report.html.gz"])
def test_other_endings_are_refused_before_anything_is_written(effect_study, tmp_path, name):
    with pytest.raises(ParameterError) as caught:
        write_report(effect_study, tmp_path / name)
    assert caught.value.code == "E340"
    assert ".html" in caught.value.remedy
    assert not list(tmp_path.iterdir())


def test_other_formats_are_refused(effect_study, tmp_path):
    with pytest.raises(ParameterError, match="docx"):
        write_report(effect_study, tmp_path / "report.html", format="docx")


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_older_report_and_nothing_else(effect_study, tmp_path, monkeypatch, failing):
    path = tmp_path / "report.html"
    path.write_text("older", encoding="utf-8")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*(("os.fsync", full) if failing == "fsync" else ("pathlib.Path.replace", full)))
    with pytest.raises(DataError) as caught:
        write_report(effect_study, path)
    assert caught.value.code == "E110"
    assert "No space left" in caught.value.problem
    assert caught.value.remedy
    assert [item.name for item in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8") == "older"


def test_a_folder_that_cannot_be_written(effect_study, tmp_path):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        write_report(effect_study, tmp_path / "file" / "report.html")
    assert caught.value.code == "E110"
