"""Which errors of the system are a full or closed disk, and which are our own mistakes."""

import errno
import os
from pathlib import Path

import pytest

from ilab.base import atomic, disk
from ilab.errors import MissingDisk


@pytest.fixture
def home(tmp_path):
    """A home folder with its data root; the state root is not there."""
    (tmp_path / "home" / "data").mkdir(parents=True)
    return tmp_path / "home"


def said(home: Path, number: int, path: object = None) -> str:
    """What is said of the error `number` at `path`; empty for what counts as a bug."""
    error = OSError(number, os.strerror(number)) if path is None else OSError(number, os.strerror(number), path)
    found = disk.explain(error, [home / "data", home / "state"])
    assert found is None or (found.exit_code == 4 and found.hint)
    return found.message if found else ""


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_with_its_file_or_without(home, number):
    assert said(home, number, "/x/y") == "no space left on the disk that holds /x/y"
    assert said(home, number, b"/x/y") == "no space left on the disk that holds /x/y"
    assert said(home, number) == said(home, number, 3) == "no space left on the disk"


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_closed_folder_is_told_wherever_it_is(home, number):
    reason = os.strerror(number).lower()
    assert said(home, number, str(home / "data")) == f"cannot write to {home / 'data'}: {reason}"
    assert said(home, number, str(home)) == f"cannot write to {home}: {reason}"
    assert said(home, number, str(home / "data" / ".file.tmp")) == f"cannot write to {home / 'data'}: {reason}"
    assert said(home, number, "/elsewhere/file") == f"cannot write to /elsewhere: {reason}"
    assert said(home, number) == ""


def test_a_file_that_may_not_be_read_is_told_as_that(home):
    file = home / "data" / "file"
    file.touch(mode=0o000)
    if os.access(file, os.R_OK):
        pytest.skip("this user may read everything")
    assert said(home, errno.EACCES, str(file)) == f"cannot read {file}: permission denied"


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR, errno.EEXIST])
def test_a_root_that_cannot_be_made_is_told(home, number):
    reason = os.strerror(number).lower()
    assert said(home, number, str(home / "state")) == f"cannot write to {home / 'state'}: {reason}"
    assert said(home, number, str(home)) == f"cannot write to {home}: {reason}"


def test_below_a_root_that_is_no_folder_the_whole_path_is_told(home):
    inside = home / "state" / "logs" / "file"
    (home / "state").touch()
    assert said(home, errno.ENOTDIR, str(inside)) == f"cannot write to {inside}: not a directory"


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EMFILE, errno.EIO])
@pytest.mark.parametrize("place", ["data/runs/x", "../elsewhere/file"])
def test_anything_else_is_a_bug(home, number, place):
    assert said(home, number, str(home / place)) == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_fills_up_while_a_line_is_appended(tmp_path):
    (tmp_path / "rows").symlink_to("/dev/full")
    with pytest.raises(MissingDisk, match=f"no space left on the disk that holds {tmp_path}/rows"):
        atomic.append_line(tmp_path / "rows", "x")
