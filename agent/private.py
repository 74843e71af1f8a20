"""The private directory: 0700, node-local, short enough for unix sockets (at most 50 characters)."""
import os
import tempfile

MAX_LENGTH = 50
SHARED = ("nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cifs", "smb3", "afs", "9p", "fuse.sshfs", "fuse.glusterfs", "panfs", "wekafs")


def make_private(settings):
    """Makes the directory in the first place that fits; raises OSError that names every place and why not."""
    places = [settings.get(name) for name in ("LINKSPAN_PRIVATE_DIR", "XDG_RUNTIME_DIR", "SLURM_TMPDIR", "TMPDIR")] + ["/tmp"]
    refused = []
    for place in places:
        if not place:
            continue
        reason = unfit(place)
        if reason is None:
            try:
                made = tempfile.mkdtemp(prefix="ls", dir=place)
            except OSError as error:
                refused.append("%s: %s" % (place, error.strerror))
                continue
            os.chmod(made, 0o700)
            return made
        refused.append("%s: %s" % (place, reason))
    raise OSError("no place for the private directory: " + "; ".join(refused))


def unfit(place):
    """Why a place will not do, or None."""
    if not os.path.isdir(place):
        return "is no directory"
    if place == os.environ.get("XDG_RUNTIME_DIR") and os.stat(place).st_uid != os.getuid():
        return "belongs to somebody else"
    if len(os.path.join(place, "ls12345678")) > MAX_LENGTH:
        return "its path is longer than %d characters" % (MAX_LENGTH - 11)
    kind = filesystem(place)
    if kind in SHARED:
        return "lies on %s, which other machines share" % kind
    return None


def filesystem(place):
    """Type of the file system of a path, by /proc/self/mountinfo (proc(5)); '' when it cannot be told."""
    path = os.path.realpath(place)
    best, kind = "", ""
    try:
        with open("/proc/self/mountinfo") as file:
            for line in file:
                left, _, right = line.partition(" - ")
                mount = left.split(" ")[4].encode().decode("unicode_escape")
                inside = mount == "/" or path == mount or path.startswith(mount + "/")
                if inside and len(mount) >= len(best):
                    best, kind = mount, right.split(" ")[0]
    except (OSError, IndexError):
        return ""
    return kind
