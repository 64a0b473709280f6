"""Where ilab keeps its four folders."""

from pathlib import Path

from ilab.config import paths


def test_ilab_home_holds_all_four_roots(tmp_path):
    found = paths.find({"ILAB_HOME": str(tmp_path), "HOME": "/home/user"})
    assert (found.config, found.data, found.state, found.cache) == tuple(
        tmp_path / name for name in ("config", "data", "state", "cache")
    )
    assert found.config_file == tmp_path / "config" / "config.yaml"
    assert found.runs == tmp_path / "data" / "runs"


def test_xdg_folders_without_ilab_home():
    found = paths.find({"HOME": "/home/user", "XDG_DATA_HOME": "/big/share"})
    assert found.config_file == Path("/home/user/.config/ilab/config.yaml")
    assert found.models == Path("/big/share/ilab/models")
    assert found.engines == Path("/home/user/.local/state/ilab/engines")
    assert found.documents == Path("/home/user/.cache/ilab/documents")


def test_a_relative_xdg_folder_is_ignored():
    found = paths.find({"HOME": "/home/user", "XDG_CONFIG_HOME": "settings"})
    assert found.config == Path("/home/user/.config/ilab")


def test_a_relative_home_is_made_absolute():
    assert paths.find({"ILAB_HOME": "here"}).data == Path.cwd() / "here" / "data"
