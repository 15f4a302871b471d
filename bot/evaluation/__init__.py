"""How well the model understands, and how good its training data is; used by evaluate.py and lint.py."""
