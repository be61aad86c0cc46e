"""test_parameters: an option that a stage took for its opposite is found in its parameter file."""
from core.improve_files import used_otherwise
from tests.support import WorkCase

# improvelib 0.1.0 writes str(dict), also of values that are no literals.
USED = ("{'input_dir': PosixPath('ml_data'), 'early_stopping': True, 'shuffle': False, 'epochs': 1,"
        " 'loss': <function mse at 0x7f>, 'note': 'dropout: True', 'last': True}")
CASES = (       # parameter file, arguments, what was used otherwise
    (USED, {"early_stopping": "False"}, "--early_stopping False was given, but True was used"),
    (USED, {"last": False, "shuffle": "yes"}, "--last False was given, but True was used; "
                                              "--shuffle yes was given, but False was used"),
    (USED, {"early_stopping": True, "shuffle": "n", "last": "1"}, ""),      # as given
    (USED, {"epochs": "0", "input_dir": "false", "dropout": "False", "absent": "False"}, ""),
    (USED, {"early_stopping": "sometimes"}, ""),        # neither true nor false
    ("epochs: 3\nflag: True\n", {"flag": "no"}, "--flag no was given, but True was used"),
    ("\0{", {"flag": "False"}, ""))


class UsedOtherwiseTest(WorkCase):
    def test_true_and_false_are_compared_as_improvelib_reads_them(self):
        self.assertEqual(used_otherwise(self.work, {"flag": "False"}), "")      # no file
        for text, arguments, expected in CASES:
            self.write("param_log_file.txt", text)
            options, _, remedy = used_otherwise(self.work, arguments).partition(": ")
            self.assertEqual(options, expected)
            self.assertRegex(remedy, "INI file, .*str2bool" if expected else "^$")
