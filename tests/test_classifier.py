"""The classifier that judges samples: what it learns, that it repeats, and its file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from builders import folder_bytes, tiny_dataset
from vaestudy.binarization import as_float
from vaestudy.classifier import (
    N_FEATURES,
    Classifier,
    ClassifierError,
    ClassifierSettings,
    label_agreement,
    load_classifier,
    present,
    save_classifier,
    train_classifier,
)
from vaestudy.cli import app
from vaestudy.dataset import Dataset, save_prepared

SETTINGS = ClassifierSettings(epochs=12, batch_size=20)


def bars(n: int = 200) -> Dataset:
    """Images of four classes, a bright row each, which a classifier can learn without error."""
    generator = torch.Generator().manual_seed(0)
    arrays = {}
    for split in ("train", "test"):
        labels = torch.randint(4, (n,), generator=generator)
        images = torch.randint(60, (n, 8, 8), generator=generator, dtype=torch.uint8)
        images[torch.arange(n), 2 * labels] = 230
        arrays |= {split: images.flatten(1), f"{split}_labels": labels}
    return Dataset.build("mnist-5k", arrays, (8, 8), "made up")


def test_learns_classes_of_grey_and_of_binary_images() -> None:
    classifier, accuracy = train_classifier(bars(), SETTINGS)
    assert accuracy.grey > 0.95
    assert accuracy.binary > 0.95
    x = as_float(bars().test, "none")
    assert classifier.features(x).shape == (200, N_FEATURES)
    torch.testing.assert_close(classifier.probabilities(x), torch.softmax(classifier(x), -1))


def test_the_same_settings_give_the_same_weights_whatever_was_drawn_before() -> None:
    first, _ = train_classifier(tiny_dataset(), ClassifierSettings(epochs=2, batch_size=20))
    torch.rand(7)
    second, _ = train_classifier(tiny_dataset(), ClassifierSettings(epochs=2, batch_size=20))
    other, _ = train_classifier(tiny_dataset(), ClassifierSettings(epochs=2, batch_size=20, seed=1))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])
    assert not torch.equal(first.head.weight, other.head.weight)


def test_training_leaves_the_global_stream_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    train_classifier(tiny_dataset(), ClassifierSettings(epochs=1, batch_size=20))
    assert torch.equal(torch.rand(2), expected)


def test_half_the_images_are_shown_grey(generator: torch.Generator) -> None:
    pixels = torch.full((2000, 3), 100, dtype=torch.uint8)
    shown = present(pixels, generator)
    grey = shown == 100 / 255
    assert torch.equal(grey.all(1), grey.any(1))
    # Four standard deviations of a fair coin thrown 2,000 times.
    assert grey.all(1).double().mean().item() == pytest.approx(0.5, abs=0.045)
    assert set(shown[~grey].tolist()) == {0.0, 1.0}


def test_label_agreement_counts() -> None:
    classifier = Classifier((4, 4), 3).eval()
    with torch.no_grad():
        classifier.head.weight.zero_()
        classifier.head.bias.copy_(torch.tensor([0.0, 1.0, 0.0]))
    assert label_agreement(classifier, torch.rand(4, 16), torch.tensor([1, 1, 1, 0])) == 0.75


def test_needs_a_batch() -> None:
    with pytest.raises(ValueError, match="expected at least a batch of 100: lower batch_size"):
        train_classifier(tiny_dataset(), ClassifierSettings(batch_size=100))


def test_file_restores_the_classifier_and_repeats_byte_for_byte(tmp_path: Path) -> None:
    data = tiny_dataset()
    classifier, accuracy = train_classifier(data, ClassifierSettings(epochs=1, batch_size=20))
    for name in ("a", "b"):
        save_classifier(classifier, accuracy, data, tmp_path / name)
    files = folder_bytes(tmp_path)
    assert files["a"] == files["b"]
    restored, known = load_classifier(tmp_path / "a", data)
    assert known == accuracy
    assert not restored.training
    x = torch.rand(5, 16)
    assert torch.equal(restored.probabilities(x), classifier.probabilities(x))


def test_wrong_files_say_what_to_do(tmp_path: Path) -> None:
    data = tiny_dataset()
    classifier, accuracy = train_classifier(data, ClassifierSettings(epochs=1, batch_size=20))
    save_classifier(classifier, accuracy, data, tmp_path / "classifier")
    with pytest.raises(ClassifierError, match="trained on other data than mnist-5k; delete it"):
        load_classifier(tmp_path / "classifier", tiny_dataset(n_train=80))
    with pytest.raises(ClassifierError, match="does not exist"):
        load_classifier(tmp_path / "none", data)
    (tmp_path / "damaged").write_bytes(b"no classifier")
    with pytest.raises(ClassifierError, match="not a whole classifier"):
        load_classifier(tmp_path / "damaged", data)


def test_a_table_has_no_classifier_and_is_told_so(tmp_path: Path) -> None:
    arrays = {"train": torch.rand(60, 3), "test": torch.rand(20, 3)}
    arrays |= {f"{k}_labels": torch.zeros(len(v), dtype=torch.int64) for k, v in arrays.items()}
    save_prepared(Dataset.build("wine", arrays, (1, 3), "made up"), tmp_path / "wine")
    command = ["classifier", "--data", str(tmp_path / "wine"), "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert "wine holds wine, a table of numbers; expected images" in result.stderr
    assert not (tmp_path / "out").exists()
