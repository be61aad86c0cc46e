"""toy_train_improve: see toy."""
import toy

toy.run("train")
