"""The private directory: 0700, node-local, short enough for unix sockets (at most 50 characters)."""
import os
import stat

MAX_LENGTH = 50
NAME_LENGTH = 11  # 'ls-' and 8 characters
SHARED = (
    "nfs", "nfs3", "nfs4", "lustre", "gpfs", "beegfs", "fhgfs", "ceph", "cifs", "smb3", "smbfs", "afs", "panfs", "pvfs2", "orangefs", "wekafs",
    "glusterfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "fuse.juicefs",
)


def make_private(settings, mounts=None):
    """Makes the directory in the first place that fits; raises OSError that names every place and why not."""
    if mounts is None:
        mounts = read_mounts()
    refused = []
    for name in ("LINKSPAN_PRIVATE_DIR", "XDG_RUNTIME_DIR", "SLURM_TMPDIR", "TMPDIR", None):
        place = "/tmp" if name is None else settings.get(name)
        if not place:
            continue
        try:
            reason = unfit(place, mounts, own=name == "XDG_RUNTIME_DIR")
            if reason is None:
                return make_in(place)
        except OSError as error:
            reason = error.strerror
        refused.append("%s (%s) %s" % (place, name or "the last resort", reason))
    raise OSError("there is no place for the private directory: " + "; ".join(refused))


def make_in(place):
    while True:
        path = os.path.join(place, "ls-" + os.urandom(4).hex())
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            continue
        os.chmod(path, 0o700)
        return path


def unfit(place, mounts, own):
    """Why a place will not do, or None."""
    if not os.path.isabs(place) or not os.path.isdir(place):
        return "is no directory"
    info = os.stat(place)
    if own and info.st_uid != os.geteuid():
        return "belongs to somebody else"
    if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not info.st_mode & stat.S_ISVTX:
        return "can be written by others and has no sticky bit"
    if len(place.rstrip("/")) + 1 + NAME_LENGTH > MAX_LENGTH:
        return "is too long: at most %d characters" % (MAX_LENGTH - NAME_LENGTH - 1)
    kind = filesystem(os.path.realpath(place), mounts)
    if kind in SHARED:
        return "lies on %s, which other machines share" % kind
    return None


def filesystem(path, mounts):
    """Type of the file system of a real path, by the text of /proc/self/mountinfo (proc(5)); '' when it cannot be told."""
    best, kind = "", ""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) < 5:
            continue
        mount = unescape(fields[4])
        inside = mount == "/" or path == mount or path.startswith(mount + "/")
        if inside and len(mount) >= len(best):  # the last of several on one point is the one seen
            best, kind = mount, right.split(" ")[0]
    return kind


def unescape(text):
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def read_mounts():
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
