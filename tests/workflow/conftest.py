"""Two checkouts that the tests share; who changes one takes a copy."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkout import TABLES, Checkout


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Nothing has run here, and dry runs leave it so."""
    return Checkout.create(tmp_path_factory.mktemp("fresh") / "checkout")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The mini study up to its tables, on two cores."""
    checkout = Checkout.create(tmp_path_factory.mktemp("finished") / "checkout")
    checkout.run(TABLES)
    return checkout


@pytest.fixture
def trained(finished: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the finished study for one test to change."""
    return finished.copy(tmp_path / "checkout")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slurm: submits jobs to a real Slurm of one node")
