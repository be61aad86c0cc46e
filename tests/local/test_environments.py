"""The kinds of environments that run_model.sh activates, and what a failed one says."""
import os
import shlex
import shutil
import sys
import unittest
from unittest import mock

from runner import environment
from tests.runner_case import TRAIN, RunnerCase
from tests.support import RUN_MODEL

LMOD = next((folder for folder in (os.environ.get("LMOD_PKG") or "/nowhere", "/usr/share/lmod/lmod")
             if os.path.exists(os.path.join(folder, "init", "bash"))), None)


class EnvironmentsTest(RunnerCase):
    """What activation says stands in the log; a failure is a status in the environment's own words."""

    def failure(self, spec, **settings):
        ended = self.run_model(spec, TRAIN, "--output_dir", "out", **settings)
        status = self.out_status("out")
        self.assertEqual((ended.code, status["state"], status["reason_kind"]), (1, "failed", "environment"))
        return status["reason"]

    def python(self, directory, text):
        os.makedirs(self.path(directory, "bin"), exist_ok=True)
        self.write(f"{directory}/bin/python", text)
        os.chmod(self.path(directory, "bin/python"), 0o755)
        self.write(f"{directory}/bin/activate", f"PATH={shlex.quote(self.path(directory, 'bin'))}:$PATH\necho 'hello from activate'\n")

    def test_the_packages_of_a_virtual_environment_are_its_own(self):
        """Without `site`, which the runner does without, Python does not know that it is in one."""
        os.makedirs(self.path("v/lib/python{}.{}/site-packages/torch-2.1.dist-info".format(*sys.version_info[:2])))
        os.makedirs(self.path("v/bin"))
        self.write("v/pyvenv.cfg", "")
        with mock.patch("sys.executable", self.path("v/bin/python")):
            self.assertEqual(list(environment.installed_packages()), ["torch-2.1.dist-info"])

    def test_a_broken_python_is_a_failure_in_its_own_words(self):
        self.python("v", "#!/bin/sh\necho 'error while loading shared libraries: libpython3.9.so' >&2\nexit 127\n")
        self.assertIn("could not be activated on", self.failure("venv:v"))
        self.assertTrue(self.out_status("out")["reason"].endswith("libpython3.9.so"))
        self.assertIn("hello from activate\nerror while loading", self.read("out/log.txt"))

    def test_an_environment_without_python_is_a_failure(self):
        self.write("v/bin/activate", "PATH=/nonexistent\n") if os.path.isdir(self.path("v/bin")) else os.makedirs(self.path("v/bin"))
        self.write("v/bin/activate", "PATH=/nonexistent\n")
        self.assertIn("python: command not found", self.failure("venv:v"))

    def test_an_old_python_is_a_failure(self):
        old = next((path for path in ("/usr/bin/python2.7", os.path.expanduser("~/.pyenv/versions/2.7.18/bin/python"))
                    if os.path.exists(path)), None)
        if old is None:
            self.skipTest("no Python 2.7 here")
        self.python("v", f"#!/bin/sh\nexec {old} \"$@\"\n")
        self.assertTrue(self.failure("venv:v").endswith("its python is 2.7.18, stages need 3.6 or newer"))

    def test_paths_with_spaces_and_quotes(self):
        strange = "a b'c\""
        self.python(strange, f"#!/bin/sh\nexec {shlex.quote(sys.executable)} \"$@\"\n")
        self.write(f"{strange}/show.py", "import sys\nprint(sys.argv[1:])\n")
        out = self.path(strange, "out")
        self.assertEqual(self.run_model(f"venv:{self.path(strange)}", self.path(strange, "show.py"), "--output_dir", out).code, 0)
        self.assertIn(repr(["--output_dir", out]), self.read(strange, "out", "log.txt"))
        self.write("t.tasks", " ".join(map(shlex.quote, [f"venv:{self.path(strange)}", self.path(strange, "show.py"), "--output_dir", out])) + "\n")
        self.assertEqual(self.run_model("--task", "t.tasks", "0").code, 0)

    def test_a_failed_environment_fails_each_of_several_tasks(self):
        lines = [f"conda:nope {TRAIN} --output_dir {self.path('out', part)}\n" for part in "ab"]
        self.write("t.tasks", "".join(lines))
        self.assertEqual(self.run_model("--task", "t.tasks", "0", "2").code, 0)
        self.assertEqual([self.out_status("out", part)["reason_kind"] for part in "ab"], ["environment"] * 2)

    def test_what_an_activation_said_is_left_nowhere_but_in_the_log(self):
        os.makedirs(self.path("tmp"))
        for words, code in ((("conda:nope", TRAIN, "--output_dir", "out"), 1), (("conda:nope", TRAIN, "--epochs", "3"), 2)):
            self.assertEqual(self.run_model(*words, TMPDIR=self.path("tmp")).code, code)
            self.assertEqual(os.listdir(self.path("tmp")), [])
        self.assertIn("there is no environment nope", self.read("out/log.txt"))

    def test_several_tasks_share_one_environment(self):
        self.write("t.tasks", f"none {TRAIN} --output_dir {self.path('out/a')}\nconda:x {TRAIN} --output_dir {self.path('out/b')}\n")
        self.assert_refused(self.run_model("--task", "t.tasks", "0", "2"), "for another environment than the line before")

    # As conda's own shell function does: variables that may be unset, and the last activation script's exit code.
    CONDA_SH = """
conda() {
  if [ "$1" != activate ]; then return 1; fi
  local prefix=$2
  case $2 in */*) ;; *) prefix=@BASE@/envs/$2 ;; esac
  if [ ! -d "$prefix/conda-meta" ]; then echo "EnvironmentNameNotFound: Could not find conda environment: $2" >&2; return 1; fi
  export CONDA_PREFIX=$prefix CONDA_DEFAULT_ENV=$2 PATH=$prefix/bin:$PATH
  echo "$NEVER_SET" >/dev/null
  . "$prefix/etc/conda/activate.d/last.sh"
}
"""

    def conda(self, folder="base", own_scripts=True):
        """A conda installation with an environment `drp`; its activation script returns false."""
        for name in ("bin", "condabin", "etc/profile.d", "envs/drp/conda-meta", "envs/drp/bin", "envs/drp/etc/conda/activate.d"):
            os.makedirs(self.path(folder, name))
        self.write(f"{folder}/bin/conda", "#!/bin/sh\necho 'conda: this program does not activate' >&2\nexit 1\n")
        os.chmod(self.path(folder, "bin/conda"), 0o755)
        shutil.copy(self.path(folder, "bin/conda"), self.path(folder, "condabin/conda"))
        if own_scripts:
            self.write(f"{folder}/etc/profile.d/conda.sh", self.CONDA_SH.replace("@BASE@", self.path(folder)))
        self.write(f"{folder}/envs/drp/bin/python", f"#!/bin/sh\nexec {shlex.quote(sys.executable)} \"$@\"\n")
        os.chmod(self.path(folder, "envs/drp/bin/python"), 0o755)
        self.write(f"{folder}/envs/drp/etc/conda/activate.d/last.sh", "export FROM_CONDA=yes$ALSO_NEVER_SET\nfalse\n")
        self.write("show.py", "import os\nprint(os.environ.get('FROM_CONDA'), os.environ.get('CONDA_PREFIX'))\n")

    def assert_conda_runs(self, spec, prefix, **settings):
        shutil.rmtree(self.path("out"), ignore_errors=True)
        ended = self.run_model(spec, "show.py", "--output_dir", "out", **settings)
        self.assertEqual(ended.code, 0, ended)
        self.assertIn(f"yes {self.path(prefix)}", self.read("out/log.txt"))

    def test_conda_is_found_by_its_program_or_its_variable_and_a_bare_name_is_conda_s(self):
        self.conda()
        rest = os.environ["PATH"]
        for settings in ({"CONDA_EXE": self.path("base/bin/conda")}, {"PATH": self.path("base/bin") + ":" + rest},
                         {"PATH": self.path("base/condabin") + ":" + rest}):
            for spec in ("conda:drp", "drp", "conda:" + self.path("base/envs/drp")):
                self.assert_conda_runs(spec, "base/envs/drp", **settings)
        self.assertTrue(self.failure("conda:nope", CONDA_EXE=self.path("base/bin/conda")).endswith(
            "EnvironmentNameNotFound: Could not find conda environment: nope"))

    def test_a_prefix_works_without_conda(self):
        self.conda()
        self.assert_conda_runs("conda:" + self.path("base/envs/drp"), "base/envs/drp")

    def test_an_environment_of_micromamba_is_found_by_name(self):
        self.conda("micromamba", own_scripts=False)
        self.assert_conda_runs("conda:drp", "micromamba/envs/drp", MAMBA_ROOT_PREFIX=self.path("micromamba"))

    def test_a_container_is_called_as_recorded(self):
        """No container program can be had here: this one writes down how it is called and runs the rest on this machine."""
        os.makedirs(self.path("bin"))
        self.write("bin/apptainer", "#!/bin/bash\nprintf '%s\\n' \"$@\" >>" + shlex.quote(self.path("calls")) + "\n"
                   "while [ \"$1\" != i.sif ]; do shift; done; shift\n"
                   f"shift; exec {shlex.quote(sys.executable)} \"$@\"\n")
        os.chmod(self.path("bin/apptainer"), 0o755)
        self.write("i.sif", "an image")
        os.makedirs(self.path("raw"))
        self.write("show.py", "print('in the container')\n")
        ended = self.run_model("apptainer:i.sif", "show.py", "--input_dir", "raw", "--output_dir", "out/a", CUDA_VISIBLE_DEVICES="0",
                               PATH=self.path("bin") + ":" + os.environ["PATH"])
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("in the container", self.read("out/a/log.txt"))
        words = self.read("calls").splitlines()
        self.assertEqual(words[:2], ["exec", "--nv"])
        binds = [value for option, value in zip(words, words[1:]) if option == "--bind"]
        project = os.path.dirname(RUN_MODEL)
        self.assertEqual(set(binds), {project, self.work, self.path("out"), self.path("out/a"), self.path("raw")})
        self.assertEqual(self.failure("apptainer:nothing.sif", PATH=self.path("bin") + ":" + os.environ["PATH"]).rpartition(": ")[2],
                         "there is no nothing.sif")

    def test_a_site_adds_its_own_kind_in_the_marked_block(self):
        folder = self.path("project")
        os.makedirs(folder)
        shutil.copytree(os.path.join(os.path.dirname(RUN_MODEL), "stages"), os.path.join(folder, "stages"))
        with open(RUN_MODEL) as file:
            text = file.read()
        block = text.index("    *)         PYTHON=(python); activate_conda")
        self.assertIn("EDIT: a site adds its own kinds", text[:block])
        self.write("project/run_model.sh", text[:block] + "    spack)     PYTHON=(python3); export SITE=$place ;;\n" + text[block:])
        self.write("show.py", "import os\nprint('site', os.environ['SITE'])\n")
        ended = self.run_command("bash", os.path.join(folder, "run_model.sh"), "spack:drp@1.0", "show.py", "--output_dir", "out")
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("site drp@1.0", self.read("out/log.txt"))

    @unittest.skipUnless(os.path.exists("/usr/share/modules/init/bash"), "environment-modules is not installed")
    def test_modules_are_loaded_and_a_wrong_name_is_a_failure_in_the_module_system_s_words(self):
        os.makedirs(self.path("modules/my_python"))
        os.makedirs(self.path("modules/tool"))
        self.python("p", f"#!/bin/sh\nexec {shlex.quote(sys.executable)} \"$@\"\n")
        self.write("modules/my_python/1.0", f"#%Module\nprepend-path PATH {self.path('p/bin')}\n")
        self.write("modules/tool/2.0", "#%Module\nsetenv TOOL there\n")
        self.write("show.py", "import os\nprint('TOOL', os.environ.get('TOOL'), os.environ.get('LOADEDMODULES'))\n")
        settings = {"MODULEPATH": self.path("modules"), "LMOD_PKG": ""}
        for spec in ("module:my_python,tool", "module:my_python/1.0,tool/2.0"):
            ended = self.run_model(spec, "show.py", "--output_dir", "out", **settings)
            self.assertEqual(ended.code, 0, ended)
            self.assertIn("TOOL there my_python/1.0:tool/2.0", self.read("out/log.txt"))
        self.assertIn("Unable to locate a modulefile for 'nothing'", self.failure("module:my_python,nothing", **settings))

    @unittest.skipUnless(LMOD, "there is no Lmod (.ci/run unpacks it beside environment-modules); LMOD_PKG can name its folder")
    def test_modules_of_lmod_are_loaded_and_a_wrong_name_is_a_failure_in_its_words(self):
        for name in ("my_python", "tool"):
            os.makedirs(self.path("modules", name))
        self.python("p", f"#!/bin/sh\nexec {shlex.quote(sys.executable)} \"$@\"\n")
        self.write("modules/my_python/1.0", f"#%Module\nprepend-path PATH {self.path('p/bin')}\n")
        self.write("modules/tool/2.0.lua", 'setenv("TOOL", "there")\n')
        self.write("show.py", "import os\nprint('TOOL', os.environ.get('TOOL'), os.environ.get('LOADEDMODULES'))\n")
        settings = {"MODULEPATH": self.path("modules"), "LMOD_PKG": LMOD}
        for spec in ("module:my_python,tool", "module:my_python/1.0,tool/2.0"):
            ended = self.run_model(spec, "show.py", "--output_dir", "out", **settings)
            self.assertEqual(ended.code, 0, ended)
            self.assertIn("TOOL there my_python/1.0:tool/2.0", self.read("out/log.txt"))
        for wrong in ("nothing", "tool/7"):
            self.assertIn(f'The following module(s) are unknown: "{wrong}"', self.failure(f"module:my_python,{wrong}", **settings))


if __name__ == "__main__":
    unittest.main()
