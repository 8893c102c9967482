"""The manifest of a phase: what it vouches for, and for whom."""

import shutil

import pytest

from common.experiments.stored.phase_manifest import PhaseManifest, first_fault, hash_config, run_name
from common.models import ALS
from common.utils.errors import UserError


def test_it_vouches_for_results_settings_curves_and_the_model(als):
    manifest = PhaseManifest.read(als.folder, "test")
    assert manifest is not None
    results = [f"test/{name}" for name in ("metrics.json", "per_user.parquet", "recommendations.parquet")]
    names = [*results, "test/targets.parquet", "config.json", "curves.json", *(f"model/{name}" for name in ALS.files)]
    assert set(manifest.files) == set(names)
    assert manifest.config_sha256 == hash_config(als.config())
    manifest.check(names)
    of_valid = PhaseManifest.read(als.folder, "valid")
    assert of_valid is not None
    assert not of_valid.names("model/")


def test_without_one_there_is_none_and_that_of_another_run_or_part_is_refused(als, split):
    assert PhaseManifest.read(split / "nobody", "test") is None
    other = next(split.glob("popularity/*/seed0"))
    shutil.copy(other / "test" / "manifest.json", als.folder / "test" / "manifest.json")
    with pytest.raises(UserError, match=rf"is that of {run_name(other)}, test; run its stage again with --resume"):
        PhaseManifest.read(als.folder, "test")
    shutil.copy(als.folder / "valid" / "manifest.json", als.folder / "test" / "manifest.json")
    with pytest.raises(UserError, match=r", valid; run its stage again"):
        PhaseManifest.read(als.folder, "test")


def test_files_that_come_later_are_added(als):
    manifest = als.manifest("test")
    (als.folder / "more.txt").write_text("more")
    with pytest.raises(UserError, match=r"more\.txt is not of this training"):
        manifest.check(["more.txt"])
    manifest.add(["more.txt"])
    als.manifest("test").check(["more.txt", "test/metrics.json"])


def test_one_of_several_manifests_is_enough(als):
    both = [als.manifest("valid"), als.manifest("test")]
    name = "model/model.json"
    assert first_fault(both, [name]) == ""
    assert "is not of this training" in first_fault(both[:1], [name])
    assert f"no manifest vouches for {name}" in first_fault([], [name])
