"""A folder is local only if just one machine can write to its type of file system."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.outbox.journals.file_systems import network_file_system, type_of

MOUNTINFO = r"""
21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
22 21 0:21 / /proc rw,relatime - proc proc rw
30 21 0:40 / /srv rw,relatime shared:1 - xfs /dev/vdb rw
31 30 0:41 / /srv/letters rw,relatime shared:2 master:1 - nfs4 files:/letters rw
32 30 0:42 / /srv/with\040space rw,relatime - cifs //files/x rw
33 21 0:43 / /auto rw,relatime - autofs systemd-1 rw
34 33 0:44 / /auto rw,relatime - fuse.sshfs me@files: rw
a line that is cut
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/journal", "ext4"),
        ("/srv/journal", "xfs"),
        ("/srv/letters", "nfs4"),
        ("/srv/letters/journal", "nfs4"),
        ("/srv/letters-too/journal", "xfs"),
        ("/srv/with space/journal", "cifs"),
        ("/auto/journal", "fuse.sshfs"),
    ],
)
def test_the_innermost_and_latest_mount_tells_the_type(path: str, kind: str):
    assert type_of(Path(path), MOUNTINFO) == kind


def test_without_any_mount_the_type_is_unknown():
    assert type_of(Path("/data"), "") == "unknown"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("ext4", None),
        ("overlay", None),
        ("tmpfs", None),
        ("zfs", None),
        ("nfs", "nfs"),
        ("nfs4", "nfs4"),
        ("cifs", "cifs"),
        ("smb3", "smb3"),
        ("9p", "9p"),
        ("virtiofs", "virtiofs"),
        ("ceph", "ceph"),
        ("fuse.glusterfs", "fuse.glusterfs"),
        ("ocfs2", "ocfs2"),
        ("not-invented-yet", "not-invented-yet"),
    ],
)
def test_only_types_that_are_known_to_be_local_count_as_local(tmp_path: Path, kind: str, told: str | None):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"21 1 254:0 / / rw,relatime - {kind} source rw\n")

    assert network_file_system(tmp_path / "journal", mounts) == told


def test_a_system_without_a_list_of_mounts_is_not_trusted(tmp_path: Path):
    assert network_file_system(tmp_path, tmp_path / "missing") == "unknown"


def test_the_folder_of_a_test_is_local(tmp_path: Path):
    assert network_file_system(tmp_path / "not made yet") is None
