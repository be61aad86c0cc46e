"""refusal: the one exception of the collector; only its main catches it."""


class Refusal(Exception):
    """What is refused and why, in one sentence, and the way out."""

    def __init__(self, sentence, way_out):
        super().__init__(sentence)
        self.way_out = way_out
