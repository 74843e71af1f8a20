"""Where the private directory is made, and where it is not."""
import os
import stat

from agent.private import MAX_LENGTH, filesystem, make_private, read_mounts
from test.agent.kit import Case

LOCAL = "27 1 254:0 / / rw - ext4 /dev/vda rw\n"


class Private(Case):
    def make(self, settings, mounts=LOCAL):
        made = make_private(settings, mounts)
        self.addCleanup(os.rmdir, made)
        return made

    def test_it_is_private_short_and_made_in_the_first_place_that_is_named(self):
        places = [self.folder() for _ in range(4)]
        names = ("LINKSPAN_PRIVATE_DIR", "XDG_RUNTIME_DIR", "SLURM_TMPDIR", "TMPDIR")
        for skipped in range(4):
            settings = dict(list(zip(names, places))[skipped:])
            made = self.make(settings)
            self.assertEqual(os.path.dirname(made), places[skipped])
            self.assertEqual(stat.S_IMODE(os.stat(made).st_mode), 0o700)
            self.assertLessEqual(len(made), MAX_LENGTH)

    def test_without_any_setting_it_lies_in_tmp(self):
        self.assertEqual(os.path.dirname(self.make({})), "/tmp")

    def test_a_place_whose_path_would_grow_past_50_characters_is_passed_over(self):
        base = self.folder()
        fits = os.path.join(base, "x" * (MAX_LENGTH - 12 - len(base) - 1))
        long = fits + "y"
        os.mkdir(fits, 0o700)
        os.mkdir(long, 0o700)
        self.assertEqual(len(self.make({"TMPDIR": fits})), MAX_LENGTH)
        self.assertEqual(os.path.dirname(self.make({"TMPDIR": long})), "/tmp")

    def test_network_file_systems_are_refused_by_name_and_the_error_names_every_place(self):
        place = self.folder()
        for kind in ("nfs4", "lustre", "gpfs"):
            mounts = LOCAL + "40 27 0:50 / %s rw shared:1 - %s server:/x rw\n41 27 0:51 / /tmp rw - %s server:/y rw\n" % (place, kind, kind)
            with self.assertRaises(OSError) as caught:
                make_private({"LINKSPAN_PRIVATE_DIR": place}, mounts)
            self.assertIn("%s (LINKSPAN_PRIVATE_DIR) lies on %s" % (place, kind), str(caught.exception))
            self.assertIn("/tmp (the last resort) lies on " + kind, str(caught.exception))

    def test_a_local_mount_over_a_network_one_counts(self):
        mounts = LOCAL + "40 27 0:50 / /tmp rw - nfs4 server:/x rw\n41 40 0:51 / /tmp rw - tmpfs tmpfs rw\n"
        self.assertEqual(filesystem("/tmp/x", mounts), "tmpfs")
        self.assertEqual(filesystem("/a b/c", LOCAL + "42 27 0:52 / /a\\040b rw - nfs s:/x rw\n"), "nfs")
        self.assertEqual(filesystem("/tmpfoo", mounts), "ext4")

    def test_a_folder_that_others_may_write_needs_the_sticky_bit(self):
        place = self.folder()
        os.chmod(place, 0o777)
        self.assertEqual(os.path.dirname(self.make({"TMPDIR": place})), "/tmp")
        os.chmod(place, 0o1777)
        self.assertEqual(os.path.dirname(self.make({"TMPDIR": place})), place)

    def test_a_runtime_directory_of_somebody_else_is_passed_over(self):
        foreign = self.folder()
        if os.geteuid() == 0:
            os.chown(foreign, 65534, 65534)
        else:
            foreign = "/"
        self.assertEqual(os.path.dirname(self.make({"XDG_RUNTIME_DIR": foreign})), "/tmp")

    def test_what_is_no_folder_is_passed_over(self):
        for place in ("/nowhere/at/all", "relative", "/etc/passwd"):
            self.assertEqual(os.path.dirname(self.make({"TMPDIR": place})), "/tmp")

    def test_the_mounts_of_this_machine_can_be_read(self):
        self.assertNotEqual(filesystem("/", read_mounts()), "")
