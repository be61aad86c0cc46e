"""refusal: the exceptions of the launchers; only launch.main catches them."""


class Refusal(Exception):
    """What is refused and why, in one sentence, and the way out."""

    def __init__(self, sentence, way_out):
        super().__init__(sentence)
        self.way_out = way_out

    def text(self, program):
        return f"{program}: error: {self}\n  try: {self.way_out}\n"


class Stopped(Exception):
    """A signal ended the run; its number."""
