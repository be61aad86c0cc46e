"""README.md and docs/: their commands run and print what they say, their links, files, names and messages exist."""
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import unittest

from tests.pages import code_blocks, commands, read_page, write_code
from tests.support import PROJECT, REPOSITORY, STAGES, WorkCase

PAGES = ["README.md"] + sorted(os.path.relpath(path, REPOSITORY) for path in glob.glob(os.path.join(REPOSITORY, "docs", "*.md")))
WITH_COMMANDS = ("README.md", "docs/your_model.md", "docs/workflows.md", "docs/troubleshooting.md")    # in this order
RUN_ELSEWHERE = "unittest discover"     # the tests do not run themselves
HOME = "/home/me/workflows"             # where the pages were written


def copy_project(target):
    for name in PROJECT:
        source = os.path.join(REPOSITORY, name)
        if os.path.isdir(source):
            shutil.copytree(source, os.path.join(target, name), ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def unspecific(line):
    """A line of output without what differs between two runs: launch ids, and which Python it was."""
    line = re.sub(r"\d{8}T\d{6}\.\d{6}Z", "LAUNCH", line.rstrip())
    return line.replace(sys.executable, "/usr/bin/python3")


def matches(lines, wanted):
    """Whether lines are the wanted ones, `...` standing for any number of lines."""
    if not wanted:
        return not lines
    if wanted[0] == "...":
        return any(matches(lines[at:], wanted[1:]) for at in range(len(lines) + 1))
    return bool(lines) and lines[0] == wanted[0] and matches(lines[1:], wanted[1:])


class CommandsTest(WorkCase):
    """The lines behind `$ `, in one copy of the project, page after page."""

    def run_page(self, page):
        found = [each for each in commands(page) if RUN_ELSEWHERE not in each[0]]
        self.assertTrue(found)
        for command, output in found:
            with self.subTest(page=page, command=command):
                line = re.sub(r"^python3 ", shlex.quote(sys.executable) + " ", command)
                ended = self.run_command("bash", "-c", line)
                self.assertEqual(ended.code, 0, ended)
                self.assert_printed(ended.out, output)

    def assert_printed(self, text, wanted):
        """Nothing is compared if a page shows no output. Whether this machine has Slurm's programs is not the page's matter."""
        lines = [unspecific(line.replace(self.work, HOME)) for line in text.split("\n") if not line.startswith("sbatch is here")]
        lines, wanted = "\n".join(lines).strip().split("\n"), "\n".join(map(unspecific, wanted)).strip().split("\n")
        if wanted != [""] and not matches(lines, wanted):
            self.assertEqual(lines, wanted)

    def test_every_command_runs_and_prints_what_its_page_says(self):
        copy_project(self.work)
        write_code("docs/your_model.md", self.path("drugmean"))
        write_code("docs/workflows.md", self.work)
        for page in WITH_COMMANDS:
            self.run_page(page)
        self.assertEqual(len(self.read("runs", "csa_drugmean", "scores", "r2_scores.csv").splitlines()), 16)

    def test_no_page_has_commands_that_nobody_runs(self):
        self.assertEqual({page for page in PAGES if commands(page)}, set(WITH_COMMANDS))

    def test_output_that_differs_is_found(self):
        for lines, wanted, same in (("ab", ["a", "b"], True), ("ab", ["a", "c"], False), ("a", ["a", "b"], False),
                                    ("abc", ["...", "c"], True), ("ab", ["a", "..."], True), ("a", ["b", "..."], False)):
            self.assertEqual(matches(list(lines), wanted), same, (lines, wanted))


class PagesTest(unittest.TestCase):
    def test_every_link_leads_to_a_file(self):
        missing = set()
        for page in PAGES:
            for link in re.findall(r"\]\(([^)#]+)[^)]*\)", read_page(page)):
                path = os.path.normpath(os.path.join(os.path.dirname(page), link))
                if "://" not in link and not os.path.exists(os.path.join(REPOSITORY, path)):
                    missing.add(path)
        self.assertEqual(missing, set())

    def test_files_to_read_first_have_about_the_size_that_the_readme_says(self):
        rows = re.findall(r"^\| `([^`]+)` \| (\d+) \|", read_page("README.md"), re.MULTILINE)
        self.assertEqual(len(rows), 5)
        for name, lines in rows:
            self.assertLessEqual(abs(len(read_page(name).splitlines()) - int(lines)), 0.2 * int(lines), name)

    def test_what_the_readme_points_to_is_in_the_file_that_it_names(self):
        table = read_page("README.md").split("| you want to |")[1].split("\n\n")[0]
        rows = re.findall(r"^\| [^|]+ \| ([^|]+) \|$", table, re.MULTILINE)[1:]
        found = 0
        for row in rows:
            words = re.findall(r"`([^`]+)`", row)
            files = [word for word in words if os.path.isfile(os.path.join(REPOSITORY, word))]
            names = [word for word in words if re.match(r"[A-Za-z_]+$", word)]
            for name in names:
                found += 1
                self.assertTrue(any(re.search(r"\b" + name + r"\b", read_page(file)) for file in files), (name, files))
        self.assertGreater(found, 9)

    def test_every_message_of_the_troubleshooting_page_is_in_the_code(self):
        patterns = ("run_model.sh", "workflow_*.py", "launcher/*.py", "launcher/*/*.py", "stages/*.py", "stages/runner/*.py",
                    "slurm_templates/*.sb*", "slurm_templates/*.sh")
        paths = [path for pattern in patterns for path in glob.glob(os.path.join(REPOSITORY, pattern))]
        code = "\n".join(read_page(os.path.relpath(path, REPOSITORY)) for path in paths)
        code = re.sub(r'"\s*\n?\s*f?"', "", code)      # a text may go on in the next line
        cells = re.findall(r"^\| (`[^|]+) \|", read_page("docs/troubleshooting.md"), re.MULTILINE)
        self.assertGreater(len(cells), 35)
        messages = re.findall(r"`([^`]+)`", " ".join(cells))
        self.assertEqual([message for message in messages for part in message.split("…") if part.strip() not in code], [])

    def test_the_model_of_the_page_is_at_most_50_lines(self):
        blocks = code_blocks("docs/your_model.md")
        self.assertEqual(sorted(blocks), [f"drugmean_{stage}_improve.py" for stage in ("infer", "preprocess", "train")])
        self.assertLessEqual(sum(bool(line.strip()) for text in blocks.values() for line in text.split("\n")), 50 + len(blocks))

    def test_every_metric_is_defined(self):
        names = re.findall(r"^\| `(\w+)` \|", read_page("docs/measures.md"), re.MULTILINE)
        code = "from common.metrics import METRICS; print(*METRICS)"
        done = subprocess.run([sys.executable, "-c", code], cwd=STAGES, stdout=subprocess.PIPE, universal_newlines=True)
        self.assertEqual(sorted(names), sorted(done.stdout.split()))


if __name__ == "__main__":
    unittest.main()
