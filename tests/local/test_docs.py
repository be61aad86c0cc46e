"""README.md and docs/: their commands run and print what they say; their links, files, names and
messages exist; their code runs."""
import glob
import os
import re
import shlex
import sys
import unittest

from core.metrics import METRICS
from tests.pages import commands, read_page, write_code
from tests.support import REPOSITORY, WorkCase, write_benchmark

PAGES = ["README.md", *sorted(os.path.relpath(path, REPOSITORY)
                              for path in glob.glob(os.path.join(REPOSITORY, "docs", "*.md")))]
# The pages with commands, in the order in which they are run.
WITH_COMMANDS = ("README.md", "docs/your_model.md", "docs/workflows.md", "docs/troubleshooting.md")
RUN_ELSEWHERE = "unittest discover"     # the tests do not run themselves
HOME = "/home/me/workflows"             # where the pages were written
CODE = ("run_model.sh", "workflow_*.py", "core/*.py", "launcher/*.py", "stages/*.py",
        "stages/runner/*.py", "slurm_templates/*")
SEEDS = ("--model", "drugmean", "--model_dir", "drugmean", "--input_dir", "raw",
         "--output_dir", "out", "--source", "A", "--executor", "local", "--seeds")


class CommandsTest(WorkCase):
    """The lines behind `$ `, in one copy of the project, page after page."""

    def test_every_command_runs_and_prints_what_its_page_says(self):
        self.have_project("")
        write_code("docs/your_model.md", self.path("drugmean"))
        write_code("docs/workflows.md", self.work)
        for page in WITH_COMMANDS:
            for command, output in commands(page):
                if RUN_ELSEWHERE not in command:
                    with self.subTest(page=page, command=command):
                        self.assert_prints(command, output)
        scores = self.read("runs", "csa_drugmean", "scores", "r2_scores.csv")
        self.assertEqual(len(scores.splitlines()), 16)

    def assert_prints(self, command, output):
        """`...` stands for any lines; nothing is compared if a page shows no output."""
        line = re.sub(r"^python3 ", shlex.quote(sys.executable) + " ", command)
        ended = self.run_command("bash", "-c", line, code=0)
        wanted = unspecific("\n".join(output))
        text = unspecific(ended.out.replace(self.work, HOME))
        pattern = r"[\s\S]*".join(map(re.escape, wanted.split("...")))
        if wanted and not re.fullmatch(pattern, text):
            self.assertEqual(text, wanted)

    def test_no_page_has_commands_that_nobody_runs(self):
        self.assertEqual({page for page in PAGES if commands(page)}, set(WITH_COMMANDS))


def unspecific(text):
    """Output without what differs between two runs or machines: launch ids, which Python it was,
    whether Slurm's programs are here."""
    text = re.sub(r"\d{8}T\d{6}\.\d{6}Z", "LAUNCH", text)
    text = re.sub(r"^sbatch is here.*\n| +$", "", text, flags=re.MULTILINE)
    return text.replace(sys.executable, "/usr/bin/python3").strip()


class PagesTest(unittest.TestCase):
    def test_every_link_leads_to_a_file(self):
        links = {os.path.normpath(os.path.join(os.path.dirname(page), link)) for page in PAGES
                 for link in re.findall(r"\]\(([^)#]+)[^)]*\)", read_page(page))
                 if "://" not in link}
        self.assertEqual([link for link in links
                          if not os.path.exists(os.path.join(REPOSITORY, link))], [])

    def test_a_page_is_short(self):
        self.assertEqual([page for page in PAGES if len(read_page(page).splitlines())
                          > (120 if page == "README.md" else 80)], [])

    def test_files_to_read_first_have_about_the_size_that_the_readme_says(self):
        rows = re.findall(r"^\| `([^`]+)` \| (\d+) \|", read_page("README.md"), re.MULTILINE)
        self.assertEqual(len(rows), 5)
        for name, lines in rows:
            self.assertAlmostEqual(len(read_page(name).splitlines()) / int(lines), 1, delta=0.2,
                                   msg=name)

    def test_what_the_readme_points_to_is_in_the_file_that_it_names(self):
        table = read_page("README.md").split("| you want to |")[1].split("\n\n")[0]
        named = re.findall(r"`(\w+)`[^|`]* in `([^`]+)`", table)
        self.assertGreater(len(named), 3)
        for name, file in named:
            self.assertRegex(read_page(file), r"\b" + name + r"\b")

    def test_every_message_of_the_troubleshooting_page_is_in_the_code(self):
        paths = [path for each in CODE for path in glob.glob(os.path.join(REPOSITORY, each))]
        code = "\n".join(read_page(os.path.relpath(path, REPOSITORY)) for path in paths)
        code = re.sub(r'"\s*\n?\s*f?"', "", code)      # a text may go on in the next line
        code += code.replace("_", " ")                  # a kind is printed so
        cells = re.findall(r"^\| (`[^|]+) \|", read_page("docs/troubleshooting.md"), re.MULTILINE)
        self.assertGreater(len(cells), 30)
        for message in re.findall(r"`([^`]+)`", " ".join(cells)):
            for part in message.split("…"):
                self.assertIn(part.strip(), code, message)

    def test_every_metric_is_defined(self):
        names = re.findall(r"^\| `(\w+)` \|", read_page("docs/measures.md"), re.MULTILINE)
        self.assertEqual(sorted(names), sorted(METRICS))


class FourthWorkflowTest(WorkCase):
    """The file of docs/workflows.md, beside an unchanged project."""

    def test_it_runs_resumes_and_has_tables(self):
        self.have_project()
        write_code("docs/workflows.md", self.path("project"))
        write_code("docs/your_model.md", self.path("drugmean"))
        write_benchmark(self.path("raw"), ("A", "B"), splits=1)
        for line, part in (
                (("2",), "0 done already, 5 to run (1 preprocess, 2 train, 2 infer)"),
                (("2",), "5 done already, 0 to run"),
                (("3", "--dry_run"), "5 done already, 2 to run (0 preprocess, 1 train, 1 infer)")):
            ended = self.run_workflow("seeds", *SEEDS, *line, folder=self.path("project"), code=0)
            self.assertIn(part, ended.out)
        self.assertEqual({(row["source"], row["split"], row["seed"])
                          for row in self.table("all_scores.csv")},
                         {("A", "0", "1"), ("A", "0", "2")})
