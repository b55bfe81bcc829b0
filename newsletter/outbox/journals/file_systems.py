"""Find out from a folder's file system whether other machines may write into it.

On a local file system, flock shows reliably whether the process that writes a file is alive, also across
containers. On a network file system, other machines may not see the lock.
"""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

# Types that only one running kernel writes to. Any other type counts as a network file system. A missing type
# costs a person one command. A wrong type here could email people twice.
LOCAL = frozenset(
    {
        "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "hfsplus", "jfs", "msdos",
        "nilfs2", "ntfs", "ntfs3", "overlay", "overlayfs", "aufs", "ramfs", "reiserfs", "rootfs", "tmpfs",
        "ubifs", "ufs", "vfat", "xfs", "zfs",
    }
)  # fmt: skip
_ESCAPED = re.compile(r"\\([0-7]{3})")


def network_file_system(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the type of the file system of `folder`, or None if only this machine writes to it.

    The type is "unknown" if the system does not say.
    """
    try:
        kind = type_of(folder.resolve(), mounts.read_text("utf-8", "surrogateescape"))
    except OSError:
        kind = "unknown"
    return None if kind in LOCAL else kind


def type_of(path: Path, mountinfo: str) -> str:
    """Return the type of the file system that holds an absolute `path`, or "unknown". Pure.

    `mountinfo` is the text of /proc/self/mountinfo, see proc_pid_mountinfo(5).
    """
    found, depth = "unknown", -1
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        fields, described = before.split(" "), after.split(" ")
        if not separator or len(fields) < 5:
            continue
        place = Path(_ESCAPED.sub(lambda escaped: chr(int(escaped[1], 8)), fields[4]))
        # A later mount at the same place hides the earlier one.
        if path.is_relative_to(place) and len(place.parts) >= depth:
            found, depth = described[0], len(place.parts)
    return found
