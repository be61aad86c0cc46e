"""errors: the exceptions of launchers and stages."""


class Refusal(Exception):
    """What is refused and why, in one sentence; hint: what to do about it."""

    def __init__(self, sentence, hint):
        super().__init__(sentence)
        self.hint = hint

    def text(self, program):
        return f"{program}: error: {self}\n  try: {self.hint}\n"


class FileError(Exception):
    """One sentence: the file and what is wrong with it."""
