"""Where ``vaestudy fit`` writes: tried before the work, not after it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from test_fit_cli import fit
from vaestudy.files import require_writable


def in_the_way(place: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A path at which no directory for results can be."""
    (folder / "taken").write_text("a file")
    if place == "unwritable":
        # As for a user; an administrator may write anywhere.
        def refuse(dir: Path) -> None:
            raise PermissionError(errno.EACCES, "Permission denied", str(dir))

        monkeypatch.setattr("vaestudy.files.TemporaryFile", refuse)
    return {"file": folder / "taken", "beneath": folder / "taken" / "out"}.get(place, folder / "x")


@pytest.mark.parametrize(
    ("place", "why"),
    [("file", "it is a file"), ("beneath", "Not a directory"), ("unwritable", "Permission denied")],
)
def test_no_fit_is_lost_to_an_output_that_cannot_be_written(
    tmp_path: Path, place: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = in_the_way(place, tmp_path, monkeypatch)
    # Before the data are looked for, and so before training.
    result = fit(tmp_path / "absent.csv", out)
    assert result.exit_code == 1
    assert f"no results can be written to {out}: {why}; expected a directory" in result.stderr
    assert "Traceback" not in result.output
    assert "absent" not in result.stderr


def test_a_directory_for_results_is_made_and_left_clean(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    require_writable(out)
    require_writable(out)
    assert list(out.iterdir()) == []
