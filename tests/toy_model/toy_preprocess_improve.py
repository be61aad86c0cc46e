"""toy_preprocess_improve: see toy."""
import toy

toy.run("preprocess")
