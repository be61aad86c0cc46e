"""The synthetic benchmark is the same everywhere, and it is written whole or not at all."""
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

from launcher import demo_data
from tests.support import WorkCase

# of all names and texts: the tables of the demo runs depend on these bytes
SHA256 = "b45c3a374bbc1b93ec62cedd8dd6b3f2f5df3b0e733cadab200fbfac08752cc2"
FILES = demo_data.demo_files()
STUDY = "new/raw_data/splits/gCSI_all.txt"


class DemoDataTest(WorkCase):
    def test_every_python_makes_the_same_bytes(self):
        text = "".join(f"{name}\n{FILES[name]}" for name in sorted(FILES))
        self.assertEqual(hashlib.sha256(text.encode("utf-8")).hexdigest(), SHA256)

    def test_writers_at_the_same_time_leave_one_whole_benchmark_that_stays_as_it_is(self):
        directory = self.path("new/raw_data")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(demo_data.write_demo_data, [directory] * 4))
        self.assertEqual(os.listdir(self.path("new")), ["raw_data"])
        self.assertEqual({name: self.read(directory, name) for name in FILES}, FILES)
        self.write(STUDY, "mine")
        demo_data.write_demo_data(directory)
        self.assertEqual(self.read(STUDY), "mine")

    def test_another_directory_of_that_name_is_an_error_and_stays_as_it_is(self):
        self.write("raw_data/other", "")
        self.assertRaises(OSError, demo_data.write_demo_data, self.path("raw_data"))
        self.assertEqual(os.listdir(self.path("raw_data")), ["other"])
