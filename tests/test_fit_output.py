"""Where ``vaestudy fit`` writes: tried before the work, not after it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from test_fit_cli import fit
from vaestudy.cli.options import results_in
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


def test_a_refused_fit_leaves_no_directory_behind(tmp_path: Path) -> None:
    assert fit(tmp_path / "absent.csv", tmp_path / "new" / "out").exit_code == 1
    assert not (tmp_path / "new").exists()
    (tmp_path / "mine").mkdir()
    assert fit(tmp_path / "absent.csv", tmp_path / "mine" / "out").exit_code == 1
    assert list((tmp_path / "mine").iterdir()) == []


def test_what_an_interrupted_fit_wrote_stays(tmp_path: Path) -> None:
    def interrupted(out: Path, name: str) -> None:
        with results_in(out):
            if name:
                (out / name).write_text("")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "new" / "out", "")
    assert not (tmp_path / "new").exists()
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "new" / "out", "model")
    assert (tmp_path / "new" / "out" / "model").exists()
