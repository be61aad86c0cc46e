"""toy_infer_improve: see toy."""
import toy

toy.run("infer")
