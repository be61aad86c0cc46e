"""The kinds of environments that run_model.sh activates: their own python runs the stage, or the
task fails with a sentence."""
import glob
import os
import shlex
import shutil
import subprocess
import sys
import unittest

from tests.runner_case import TRAIN, RunnerCase
from tests.support import REPOSITORY, RUN_MODEL

MODULES = "/usr/share/modules/init/bash"
LMOD = next((folder for folder in (os.environ.get("LMOD_PKG") or "/nowhere", "/usr/share/lmod/lmod")
             if os.path.exists(os.path.join(folder, "init", "bash"))), None)
SHOW = ("import os, sys\nprint('RAN IN', os.environ.get('WHICH'), os.environ.get('TOOL'), "
        "os.environ.get('LOADEDMODULES'), os.environ.get('CONDA_PREFIX'), "
        "sys.flags.no_user_site)\n")


class EnvironmentCase(RunnerCase):
    def setUp(self):
        super().setUp()
        self.write("show.py", SHOW)

    def run_show(self, env, *more, **settings):
        shutil.rmtree(self.path("out"), ignore_errors=True)
        self.run_model(env, "show.py", *more, "--output_dir", "out", **settings)

    def assert_runs(self, env, words, *more, **settings):
        self.run_show(env, *more, **settings, code=0)
        self.assertIn(f"RAN IN {words}", self.read("out/log.txt"))

    def assert_fails(self, env, words, **settings):
        self.run_show(env, **settings, code=1)
        status = self.out_status("out")
        self.assertEqual((status["state"], status["reason_kind"]), ("failed", "environment"))
        self.assertIn(f"environment {env} could not be activated on", status["reason"])
        self.assertIn(words, status["reason"])

    def write_python(self, folder, which=None, name="python"):
        """A python that says which one it is."""
        self.write_program(f"{folder}/{name}", f"#!/bin/sh\nexport WHICH={which or folder}\n"
                                               f"exec {sys.executable} \"$@\"\n")

    def path_with(self, *folders):
        return ":".join([*map(self.path, folders), os.environ["PATH"]])


class VirtualEnvironmentTest(EnvironmentCase):
    def venv(self, folder, activate="echo 'hello from activate'\n"):
        self.write_python(f"{folder}/bin", which=shlex.quote(folder))
        self.write(f"{folder}/bin/activate",
                   f"PATH={shlex.quote(self.path(folder, 'bin'))}:$PATH\n{activate}")

    def test_its_python_runs_whatever_the_activation_script_returns(self):
        self.venv("v", "echo $UNSET_VARIABLE\nfalse\n")
        self.assert_runs("venv:v", "v")

    def test_one_that_was_moved_runs_in_its_own_python(self):
        subprocess.check_call([sys.executable, "-m", "venv", "--without-pip", self.path("v")])
        os.rename(self.path("v"), self.path("w"))
        self.write("show.py", "import os, sys\n"
                              "print('RAN IN', sys.prefix, os.environ['VIRTUAL_ENV'])\n")
        self.assert_runs("venv:w", f"{self.path('w')} {self.path('w')}")

    def test_one_without_a_working_python_fails(self):
        self.venv("v")
        env, python = "venv:" + self.path("v"), "v/bin/python"
        self.write_program(python, "#!/bin/sh\necho 'error: libpython3.9.so' >&2\nexit 1\n")
        self.assert_fails(env, "hello from activate error: libpython3.9.so")
        os.unlink(self.path(python))
        self.assert_fails(env, f"there is no python in {self.path('v')}/bin")
        self.assert_fails("venv:/nowhere", "there is no /nowhere/bin/activate")
        for old in glob.glob(os.path.expanduser("~/.pyenv/versions/2.7.*/bin/python")):
            os.symlink(old, self.path(python))
            self.assert_fails(env, "its python is 2.7.18, stages need 3.6")

    def test_spaces_quotes_and_letters_beyond_ascii_in_a_path_work_in_a_c_locale(self):
        strange = "a b'c\"ü"
        self.venv(strange)
        line = [f"venv:{self.path(strange)}", self.path("show.py"), "--output_dir",
                self.path(strange, "o")]
        self.write_tasks("a/t.tasks", line)
        for number, call in enumerate((("--task", "a/t.tasks", "0"), line), 1):
            self.run_model(*call, LC_ALL="C", WORKFLOW_PYTHON=sys.executable, code=0)
            text = self.read(strange, "o", "log.txt")
            self.assertEqual(text.count(f"RAN IN {strange}"), number)


class CondaTest(EnvironmentCase):
    # What conda's own shell function does to PATH, variables that may be unset, the exit code of
    # the last activation script
    CONDA_SH = """conda() {
  local prefix=$2
  case $2 in */*) ;; *) prefix=@BASE@/envs/$2 ;; esac
  if [ ! -d "$prefix/conda-meta" ]; then echo "EnvironmentNameNotFound: $2" >&2; return 1; fi
  if [ "${CONDA_SHLVL:-0}" = 0 ]; then PATH=$prefix/bin:$PATH
  elif [ "$CONDA_PREFIX" != "$prefix" ]; then PATH=${PATH/$CONDA_PREFIX/$prefix}; fi
  export PATH CONDA_PREFIX=$prefix CONDA_DEFAULT_ENV=$2 CONDA_SHLVL=1
  echo "$NEVER_SET" >/dev/null
  false
}
"""

    def conda(self, base="base", own_script=True):
        """A conda installation with an environment `drp`."""
        os.makedirs(self.path(base, "envs/drp/conda-meta"))
        for folder in ("bin", "condabin"):
            self.write_program(f"{base}/{folder}/conda", "#!/bin/sh\nexit 1\n")
        if own_script:
            text = self.CONDA_SH.replace("@BASE@", self.path(base))
            self.write(f"{base}/etc/profile.d/conda.sh", text)
        self.write_python(f"{base}/envs/drp/bin", which="drp")

    def test_conda_is_found_by_its_program_or_its_variable_and_a_bare_name_is_conda_s(self):
        self.conda()
        prefix, by_name = self.path("base/envs/drp"), {"CONDA_EXE": self.path("base/bin/conda")}
        for env, settings in (("conda:drp", by_name), ("drp", by_name),
                              ("drp", {"PATH": self.path_with("base/bin")}),
                              (f"conda:{prefix}", {"PATH": self.path_with("base/condabin")})):
            self.assert_runs(env, f"drp None None {prefix} 1", **settings)
        self.assert_fails("conda:nope", "EnvironmentNameNotFound: nope", **by_name)

    def test_its_python_runs_though_another_environment_or_program_was_on_path_before(self):
        self.conda()
        self.write_python("module")
        self.write_python("base/envs/old/bin")
        os.makedirs(self.path("base/envs/old/conda-meta"))
        for old in ("drp", "old"):
            active = {"CONDA_EXE": self.path("base/bin/conda"), "CONDA_SHLVL": "1",
                      "CONDA_DEFAULT_ENV": old, "CONDA_PREFIX": self.path("base/envs", old),
                      "PATH": self.path_with("module", f"base/envs/{old}/bin")}
            self.assert_runs("conda:drp", "drp", **active)
            self.assert_fails("conda:" + self.path("gone"), "EnvironmentNameNotFound", **active)

    def test_an_environment_is_found_without_conda_and_fails_without_python(self):
        self.conda("micromamba", own_script=False)
        prefix = self.path("micromamba/envs/drp")
        self.write(f"{prefix}/etc/conda/activate.d/last.sh", "export TOOL=yes$NEVER_SET\nfalse\n")
        for env in ("conda:drp", f"conda:{prefix}", "conda:micromamba/envs/drp"):
            self.assert_runs(env, f"drp yes None {prefix} 1",
                             MAMBA_ROOT_PREFIX=self.path("micromamba"))
        self.assert_fails("conda:nope", "there is no environment nope")
        self.write(f"{prefix}/etc/conda/activate.d/last.sh", "(exit 7); echo bad GPU; exit 3\n")
        self.assert_fails("conda:micromamba/envs/drp", "bad GPU")
        os.makedirs(self.path("e/conda-meta"))
        self.assert_fails("conda:" + self.path("e"), f"there is no python in {self.path('e')}/bin")


class ModulesTest(EnvironmentCase):
    def modules(self):
        """A module with python, one with python3 alone behind everything else, one with a tool."""
        self.write_python("p/bin", which="own")
        self.write_python("q/bin", which="three", name="python3")
        for name, text in (("own_python/1.0", f"prepend-path PATH {self.path('p/bin')}"),
                           ("only3/1.0", f"append-path PATH {self.path('q/bin')}"),
                           ("tool/2.0", "setenv TOOL there")):
            self.write(f"modules/{name}", f"#%Module\n{text}\n")

    def check(self, init, **settings):
        self.modules()
        settings["MODULEPATH"] = self.path("modules")
        for env in ("module:own_python,tool", "module:own_python/1.0,tool/2.0"):
            self.assert_runs(env, "own there own_python/1.0:tool/2.0", **settings)
        self.assert_runs("module:only3", "three", **settings)
        self.assert_runs("module:tool", "None there", **settings)
        self.assert_fails("module:own_python,nothing", "nothing", **settings)
        # loaded at submission already, and behind another environment since
        self.write_python("front")
        self.run_command("bash", "-c", f"source {init}; module load own_python; "
                         f"PATH={self.path('front')}:$PATH; bash {RUN_MODEL} module:own_python "
                         "show.py --output_dir again", code=0, **settings)
        self.assertIn("RAN IN own None own_python/1.0", self.read("again/log.txt"))

    @unittest.skipUnless(os.path.exists(MODULES), "environment-modules is not installed")
    def test_modules_bring_their_python(self):
        self.check(MODULES, LMOD_PKG="")

    @unittest.skipUnless(LMOD, "there is no Lmod; LMOD_PKG can name its folder")
    def test_modules_of_lmod_bring_their_python(self):
        self.check(f"{LMOD}/init/bash", LMOD_PKG=LMOD)

    def test_python3_alone_is_enough(self):
        self.write_python("mod", which="three", name="python3")
        self.write_program("init/bash", "module() { export PATH=$MOD:$PATH LOADEDMODULES=$2; }\n")
        self.assert_runs("module:python/3.11", "three None python/3.11", MOD=self.path("mod"),
                         LMOD_PKG=self.work)


class ContainerTest(EnvironmentCase):
    """No container program can be had here: this one writes down how it is called and runs the rest
    on this machine."""

    def container(self, missing=""):
        self.write_program("bin/apptainer", (
            f"#!/bin/bash\nprintf '%s\\n' \"$@\" >{self.path('called')}\n"
            "while [[ $1 != */i.sif ]]; do shift; done; shift\n"
            f"if [[ $1 == \"{missing}\" ]]; then echo \"FATAL: $1: not found\" >&2; exit 255; fi\n"
            f"shift; exec {sys.executable} \"$@\"\n"))
        self.write("i.sif", "an image")
        os.symlink(sys.executable, self.path("bin/python"))     # the image's

    def test_it_sees_the_directories_of_its_task_and_the_gpu(self):
        self.container()
        os.makedirs(self.path("supplement"))
        self.assert_runs(
            "apptainer:i.sif", "None None None None 1", "--input_dir", "/usr",
            "--input_supp_data_dir", self.path("supplement"), CUDA_VISIBLE_DEVICES="0",
            PATH=self.path_with("bin"))
        called = self.read("called").splitlines()
        self.assertEqual(called[:2], ["exec", "--nv"])
        binds = {value for option, value in zip(called, called[1:]) if option == "--bind"}
        self.assertEqual(binds, {REPOSITORY, self.work, self.path("out"),
                                 self.path("supplement"), "/usr"})

    def test_an_image_with_python3_alone_is_used_and_a_missing_one_fails(self):
        self.container(missing="python")
        self.assert_runs("apptainer:" + self.path("i.sif"), "None", PATH=self.path_with("bin"))
        env = "apptainer:" + self.path("nothing.sif")
        self.assert_fails(env, f"there is no {env[10:]}", PATH=self.path_with("bin"))


class FaultsTest(EnvironmentCase):
    """Between the start of run_model.sh and the stage nothing fails without a verdict."""

    def test_a_failed_environment_fails_each_of_several_tasks_and_leaves_its_output_in_their_logs(
            self):
        os.makedirs(self.path("tmp"))
        self.write_tasks("a/t.tasks", *[
            ["conda:nope", TRAIN, "--output_dir", self.path("out", part)] for part in "ab"])
        self.run_model("--task", "a/t.tasks", "0", "2", TMPDIR=self.path("tmp"), code=0)
        self.assertEqual(os.listdir(self.path("tmp")), [])
        for part in "ab":
            self.assertEqual(self.out_status("out", part)["reason_kind"], "environment")
            self.assertIn("there is no environment nope", self.read("out", part, "log.txt"))

    def test_a_temporary_folder_of_another_node_is_not_needed(self):
        self.write("show.py", "import os\nprint('RAN IN', os.environ.get('TMPDIR'))\n")
        self.assert_runs("none", "None", TMPDIR="/nonexistent/slurm-4711")
        self.assert_fails("conda:nope", "no environment nope", TMPDIR="/nonexistent/slurm-4711")

    def test_a_missing_python_of_the_launcher_fails(self):
        self.assert_fails("none", "/nonexistent/python3", WORKFLOW_PYTHON="/nonexistent/python3")
        self.write_python("v/bin", which="v")
        self.write("v/bin/activate", "")
        self.assert_runs("venv:v", "v", WORKFLOW_PYTHON="/nonexistent/python3")

    def test_a_site_adds_its_own_kind_in_the_marked_block(self):
        self.have_project()
        text = self.read("project/run_model.sh")
        example = '    # spack)   spack load "$place" ;;'
        self.assertIn("EDIT: a site adds its own kinds", text[:text.index(example)])
        own = "    spack)   export TOOL=$place PATH=$PWD/site:$PATH ;;"
        self.write("project/run_model.sh", text.replace(example, own))
        self.write_python("site")
        self.run_command("bash", "project/run_model.sh", "spack:drp@1.0", "show.py",
                         "--output_dir", "out")
        self.assertIn("RAN IN site drp@1.0", self.read("out/log.txt"))
