"""What runs inside Rasa's own Python 3.10: the channel, the NLU components, the start and training scripts.

Nothing here imports `rapport` or `actions`; the two sides meet over HTTP only.
"""
