"""Runs the unit tests of the agent and writes their counts as JSON to the file named by the first argument."""
import json
import os
import sys
import unittest

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, root)
suite = unittest.defaultTestLoader.discover(os.path.join(root, "test", "agent"), top_level_dir=root)
result = unittest.TextTestRunner(verbosity=1).run(suite)
bad = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
skipped = len(result.skipped) + len(result.expectedFailures)
with open(sys.argv[1], "w") as out:
    json.dump({"passed": result.testsRun - bad - skipped, "failed": bad, "skipped": skipped}, out)
sys.exit(0 if bad == 0 else 1)
