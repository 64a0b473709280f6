"""Every shipped profile loads, validates, and changes what it says."""

import pytest
import yaml

from ilab.config import keys, load
from ilab.config.load import PROFILES, Request
from ilab.config.schema import Config

NAMES = sorted(file.name for file in PROFILES.glob("*.yaml"))


def test_the_six_profiles_of_the_reference_are_shipped():
    assert NAMES == [
        "A100_H100_x2.yaml",
        "A100_H100_x4.yaml",
        "A100_H100_x8.yaml",
        "L40_x4.yaml",
        "L40_x8.yaml",
        "L4_x8.yaml",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_validates_and_each_of_its_values_is_active(name, tmp_path):
    request = Request(environ={"ILAB_HOME": str(tmp_path)}, overrides={"general.profile": name})
    loaded = load.load(request)
    said = load.flat(yaml.safe_load((PROFILES / name).read_text()))
    assert said.keys() <= keys.keys(Config).keys()
    for key, value in said.items():
        assert keys.value_of(loaded.config, key) == value
        assert loaded.sources[key] == f"profile {name}"
    assert {source for key, source in loaded.sources.items() if key not in said} == {
        "default",
        "flag --set general.profile",
    }


@pytest.mark.parametrize("spelled", ["L4_x8", "L4_x8.yaml"])
def test_a_profile_is_found_with_and_without_its_ending(spelled, tmp_path):
    request = Request(environ={"ILAB_HOME": str(tmp_path)}, overrides={"general.profile": spelled})
    assert load.load(request).config.training.max_batch_len == 30000


def test_a_profile_of_the_user_goes_before_the_shipped_one(tmp_path):
    own = tmp_path / "config" / "profiles" / "L4_x8.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("training:\n  max_batch_len: 1234\n")
    request = Request(environ={"ILAB_HOME": str(tmp_path)}, overrides={"general.profile": "L4_x8"})
    assert load.load(request).config.training.max_batch_len == 1234
